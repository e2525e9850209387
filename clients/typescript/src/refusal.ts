/**
 * A gRPC status and what `google.rpc` says of it. Whether a turn may be sent
 * again is decided here.
 */

import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { status as Code, type ServiceError } from "@grpc/grpc-js";

/** One fault of a request. */
export interface Violation {
  /** Where: `anthropic_json.content[2].id`. */
  readonly field: string;
  /** What is wrong there, and what would be right. */
  readonly description: string;
}

/** What a status says. */
export interface Refusal {
  readonly code: number;
  readonly message: string;
  /** `ErrorInfo.reason`, of Sidecall's own statuses only. */
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly Violation[];
  /** `RetryInfo`: the request was refused, and may be sent again after this time. */
  readonly retryAfterMs: number | undefined;
}

const DOMAIN = "sidecall.dev";

/** What an error of grpc-js says. */
export function refusal(error: ServiceError): Refusal {
  const read = { reason: "", metadata: {}, violations: [], retryAfterMs: undefined } as Details;
  const [bytes] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (bytes instanceof Uint8Array) {
    try {
      fields(bytes, { 3: (value) => detail(value, read) });
    } catch {
      // Details that cannot be read say nothing: the status itself still counts.
    }
  }
  return { code: error.code, message: error.details || error.message, ...read };
}

/**
 * Whether a turn that failed thus has had no effect for certain. Not so of a
 * connection that broke, a cancellation or a deadline, whoever told of it; nor of
 * RESOURCE_EXHAUSTED without a reason, which is also what a stream that is cut says.
 */
export function isRefused(refusal: Refusal): boolean {
  if (refusal.reason !== "") return true;
  switch (refusal.code) {
    case Code.INVALID_ARGUMENT:
    case Code.NOT_FOUND:
    case Code.ALREADY_EXISTS:
    case Code.PERMISSION_DENIED:
    case Code.UNAUTHENTICATED:
    case Code.FAILED_PRECONDITION:
    case Code.OUT_OF_RANGE:
    case Code.UNIMPLEMENTED:
      return true;
    default:
      return refusal.retryAfterMs !== undefined;
  }
}

/** What grpc-js itself says of a request for which it finds no connection. */
const UNCONNECTED = "No connection established";

/**
 * Whether there was no connection to send a request on, so that nobody got it. What a
 * server says comes with metadata of its own, the date at least.
 */
export function isUnsent({ code, details, metadata }: ServiceError): boolean {
  const isItsOwn = Object.keys(metadata?.getMap() ?? {}).length === 0;
  return code === Code.UNAVAILABLE && details.startsWith(UNCONNECTED) && isItsOwn;
}

/** Whether an error is one of grpc-js's. */
export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && typeof (error as Partial<ServiceError>).code === "number";
}

interface Details {
  reason: string;
  metadata: Record<string, string>;
  violations: Violation[];
  retryAfterMs: number | undefined;
}

/** One `google.protobuf.Any` of the status. */
function detail(bytes: Uint8Array, into: Details): void {
  let type = "";
  let value: Uint8Array = new Uint8Array();
  fields(bytes, { 1: (name) => (type = text(name)), 2: (inner) => (value = inner) });
  switch (type.slice(type.lastIndexOf("/") + 1)) {
    case "google.rpc.ErrorInfo": {
      let domain = "";
      let reason = "";
      const metadata: Record<string, string> = {};
      fields(value, {
        1: (word) => (reason = text(word)),
        2: (word) => (domain = text(word)),
        3: (entry) => {
          let key = "";
          fields(entry, {
            1: (word) => (key = text(word)),
            2: (word) => (metadata[key] = text(word)),
          });
        },
      });
      if (domain === DOMAIN) Object.assign(into, { reason, metadata });
      break;
    }
    case "google.rpc.RetryInfo":
      into.retryAfterMs = 0;
      fields(value, { 1: (delay) => (into.retryAfterMs = durationMs(delay)) });
      break;
    case "google.rpc.BadRequest":
      fields(value, {
        1: (violation) => {
          let field = "";
          let description = "";
          fields(violation, {
            1: (word) => (field = text(word)),
            2: (word) => (description = text(word)),
          });
          into.violations.push({ field, description });
        },
      });
      break;
  }
}

/** Hands each field that has a length to the one who wants its number. */
function fields(
  bytes: Uint8Array,
  wanted: Readonly<Record<number, (value: Uint8Array) => void>>,
): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const take = wanted[number];
    if (take && type === WireType.LengthDelimited) take(reader.bytes());
    else reader.skip(type);
  }
}

function durationMs(bytes: Uint8Array): number {
  const reader = new BinaryReader(bytes);
  let ms = 0;
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (number === 1) ms += Number(reader.int64()) * 1000;
    else if (number === 2) ms += reader.int32() / 1e6;
    else reader.skip(type);
  }
  return ms;
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
