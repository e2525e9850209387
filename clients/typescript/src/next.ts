/**
 * A route handler for Next.js, and for whatever else takes a `Request` and returns a
 * `Response`: it runs the turn that is posted to it and streams what happens.
 *
 * @packageDocumentation
 */

import type { Sidecall } from "./client.js";
import { AbortedError, RefusedError, UnknownShapeError, UnreachableError } from "./errors.js";
import type { BatchEvent } from "./event.js";
import type { BatchOptions } from "./options.js";

/** What a handler is made with. */
export interface TurnHandlerOptions {
  /**
   * Who may run which turns. Answers with how the turn is run (its session, say), or
   * with a `Response` that refuses it. The tools run with the server's credentials, so
   * there is no default: whoever may post here may use them.
   */
  readonly authorize: (
    request: Request,
  ) => BatchOptions | Response | Promise<BatchOptions | Response>;
  /** Most bytes of a turn. 4 MiB. */
  readonly bodyBytesMax?: number | undefined;
}

const BODY_BYTES_MAX = 4 << 20;

/**
 * A handler for `POST`. The body is a turn as {@link Sidecall.execute} takes it, as JSON
 * text. The answer is a stream of server-sent events: each is a {@link BatchEvent}, named
 * after its type; the last is `finished` with the turn, or `error`. `readTurn` of
 * `@sidecall/client/read` reads it in a browser.
 *
 * A turn that is refused is an HTTP status: 400, 409, 413, 429 or 503, with the reason
 * as JSON. Whoever stops reading cancels what is open.
 *
 * @example
 * ```ts
 * // app/api/turn/route.ts
 * export const runtime = "nodejs";
 * export const POST = turnHandler(sidecall, {
 *   authorize: async (request) => ({ sessionId: await sessionOf(request) }),
 * });
 * ```
 */
export function turnHandler(
  sidecall: Sidecall,
  { authorize, bodyBytesMax = BODY_BYTES_MAX }: TurnHandlerOptions,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const options = await authorize(request);
    if (options instanceof Response) return options;
    const turn = await bodyOf(request, bodyBytesMax);
    if (turn === undefined) {
      return refusal(413, "TOO_LARGE", `the turn has more than ${bodyBytesMax} bytes`);
    }
    const gone = new AbortController();
    const signals = [gone.signal, request.signal, ...(options.signal ? [options.signal] : [])];
    const events = sidecall.events(turn, { ...options, signal: AbortSignal.any(signals) });
    try {
      // With its first event it is known that the turn runs.
      const first = await events.next();
      return new Response(streamed(first, events, gone), {
        headers: {
          "content-type": "text/event-stream; charset=utf-8",
          "cache-control": "no-store",
          "x-accel-buffering": "no",
        },
      });
    } catch (error) {
      return refused(error);
    }
  };
}

/** The body's text; `undefined` where it is too long. */
async function bodyOf(request: Request, bytesMax: number): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = request.body?.getReader();
  for (;;) {
    const next = await reader?.read();
    if (!next || next.done) return Buffer.concat(chunks).toString("utf8");
    bytes += next.value.byteLength;
    if (bytes > bytesMax) {
      await reader?.cancel();
      return undefined;
    }
    chunks.push(next.value);
  }
}

function streamed(
  first: IteratorResult<BatchEvent, void>,
  events: AsyncGenerator<BatchEvent, void, void>,
  gone: AbortController,
): ReadableStream<Uint8Array> {
  let next: IteratorResult<BatchEvent, void> | undefined = first;
  const encoder = new TextEncoder();
  const lines = (type: string, value: object) =>
    encoder.encode(`event: ${type}\ndata: ${JSON.stringify(value, readable)}\n\n`);
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = next ?? (await events.next());
        next = undefined;
        if (done || !value) return controller.close();
        controller.enqueue(lines(value.type, value));
      } catch (error) {
        const { name, message } = error instanceof Error ? error : new Error(String(error));
        const turn = error instanceof AbortedError ? error.turn : undefined;
        controller.enqueue(lines("error", { type: "error", name, message, turn }));
        controller.close();
      }
    },
    cancel: () => gone.abort(new Error("the reader is gone")),
  });
}

/** Bytes as base64, errors as their words. */
function readable(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof Error) return { name: value.name, message: value.message };
  return value;
}

function refused(error: unknown): Response {
  if (error instanceof UnknownShapeError) return refusal(400, "UNKNOWN_SHAPE", error.message);
  if (error instanceof UnreachableError) {
    // Where it was looked for is nobody's business out there.
    return refusal(503, "UNREACHABLE", "the tools cannot be reached at the moment");
  }
  if (error instanceof RefusedError) {
    const status = STATUS[error.status] ?? 500;
    const after = error.retryAfterMs;
    const headers = new Headers();
    if (after !== undefined) headers.set("retry-after", String(Math.ceil(after / 1000)));
    return refusal(status, error.reason || error.status, error.message, headers);
  }
  if (error instanceof AbortedError) return refusal(499, "ABORTED", error.message);
  throw error;
}

const STATUS: Readonly<Record<string, number>> = {
  INVALID_ARGUMENT: 400,
  ALREADY_EXISTS: 409,
  RESOURCE_EXHAUSTED: 429,
  UNAVAILABLE: 503,
};

function refusal(
  status: number,
  reason: string,
  message: string,
  headers = new Headers(),
): Response {
  return Response.json({ reason, message }, { status, headers });
}
