import { randomUUID } from "node:crypto";

/**
 * A UUIDv7 (RFC 9562): the id of a batch, fixed before it is first sent, so that
 * a turn that is sent twice is recognised.
 */
export function newBatchId(): string {
  const ms = Date.now().toString(16).padStart(12, "0");
  // The random part, the variant's bits in it, is that of a UUIDv4.
  return `${ms.slice(0, 8)}-${ms.slice(8)}-7${randomUUID().slice(15)}`;
}
