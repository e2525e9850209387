/**
 * Reads the stream of a turn handler, in a browser too: nothing of Node is imported.
 *
 * @packageDocumentation
 */

import type { BatchEvent } from "./event.js";

/** What a handler sends: bytes of images and documents are base64. */
export type StreamedEvent =
  | BatchEvent
  | { readonly type: "error"; readonly name: string; readonly message: string };

/** A turn that the handler refused. */
export class TurnRefusedError extends Error {
  override name = "TurnRefusedError";
  /** The HTTP status. */
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/**
 * The events of a turn, as they come.
 *
 * @example
 * ```ts
 * const response = await fetch("/api/turn", { method: "POST", body: JSON.stringify(message) });
 * for await (const event of readTurn(response)) show(event);
 * ```
 * @throws {TurnRefusedError} the turn was refused
 */
export async function* readTurn(response: Response): AsyncGenerator<StreamedEvent, void, void> {
  if (!response.ok || !response.body) {
    const { reason = "", message = response.statusText } = (await response
      .json()
      .catch(() => ({}))) as { reason?: string; message?: string };
    throw new TurnRefusedError(response.status, reason, message);
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const data = block.split("\n").find((line) => line.startsWith("data: "));
        if (data) yield JSON.parse(data.slice(6)) as StreamedEvent;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
