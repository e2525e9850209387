/** A turn that is run while the model is still writing it. */

import { setTimeout as sleep } from "node:timers/promises";

import { create } from "@bufbuild/protobuf";
import type { ClientDuplexStream } from "@grpc/grpc-js";

import { Batch } from "./batch.js";
import { newBatchId } from "./batch_id.js";
import type { Connection } from "./connection.js";
import { OptionsError, SidecallError, UnknownShapeError } from "./errors.js";
import type { BatchEvent } from "./event.js";
import { follow, type Sending, sending, unlessAborted } from "./execute.js";
import { Calls } from "./feed/calls.js";
import { READERS, shapeOfEvent } from "./feed/providers.js";
import { isObject } from "./json.js";
import type { BatchOptions } from "./options.js";
import { delayMs, RESEND_FOR_MS } from "./resend.js";
import { SHAPES } from "./tools.js";
import type { Shape } from "./turn/shape.js";
import { noCalls, type TurnResult } from "./turn_result.js";
import {
  type ExecuteStreamRequest,
  ExecuteStreamRequestSchema,
  type ExecuteStreamResponse,
  SidecallService,
} from "./wire/sidecall/v1/sidecall_pb.js";

/** How a turn is run that is still being written. */
export interface StreamOptions<S extends Shape = Shape> extends BatchOptions<S> {
  /** Told of what happens, from the first call on. */
  readonly onEvent?: ((event: BatchEvent<S>) => void) | undefined;
}

/**
 * Why a turn is refused that was accepted before all of it had come. It never was
 * committed then: nothing of it that waits for that has run.
 */
const LATE_REASONS = ["INVALID", "TOO_LARGE"] as const;

/**
 * A turn that the model is still writing. A `read_only` call starts as soon as its own
 * input is complete; every other waits for {@link commit}, since a turn that is cut is
 * asked for again.
 *
 * @example
 * ```ts
 * await using turn = sidecall.stream<"anthropic">();
 * const stream = anthropic.messages.stream({ … });
 * for await (const event of stream) turn.feed(event);
 * const { messages: results } = await turn.commit();
 * ```
 */
export class TurnStream<S extends Shape = Shape> {
  readonly #connection: Connection;
  readonly #options: StreamOptions<S>;
  readonly #calls: Calls;
  readonly #discarded = new AbortController();
  /** All steps until now: what a stream is sent that begins anew. */
  readonly #steps: ExecuteStreamRequest[] = [];
  #shape: Shape | undefined;
  #sent: Sending;
  #live: ClientDuplexStream<ExecuteStreamRequest, ExecuteStreamResponse> | undefined;
  #result: Promise<TurnResult> | undefined;
  #isFinal = false;

  /** @internal */
  constructor(connection: Connection, options: StreamOptions<S>) {
    this.#connection = connection;
    this.#options = options;
    this.#shape = options.shape;
    const signals = [this.#discarded.signal, ...(options.signal ? [options.signal] : [])];
    this.#sent = sending({ ...options, signal: AbortSignal.any(signals) });
    this.#calls = new Calls((step) => this.#write(step));
  }

  /**
   * Takes one event of the model's stream, as its SDK gives it: Anthropic
   * `MessageStreamEvent`s, OpenAI chunks or `ResponseStreamEvent`s, `@google/genai`
   * responses, events of Bedrock's ConverseStream, parts of the AI SDK's `fullStream`,
   * LangChain `AIMessageChunk`s. Events that are not about calls are passed over.
   *
   * @throws {UnknownShapeError} a call came before it was known whose events these are
   */
  feed(event: unknown): void {
    if (this.#isFinal) throw new OptionsError("the turn is final: nothing can be fed any more");
    if (!isObject(event)) return;
    this.#shape ??= shapeOfEvent(event);
    if (this.#shape) READERS[this.#shape](event, this.#calls);
    else if (typeof event["type"] !== "string") {
      throw new UnknownShapeError(
        'this is no stream event of a shape that is known: name its `shape`, as in stream({ shape: "anthropic" })',
      );
    }
  }

  /**
   * The turn is final: what waited for that runs. Answers as `execute` does. When the
   * server is lost before this, nothing has run that may not run again, and the turn is
   * sent anew.
   */
  async commit(): Promise<TurnResult<S>> {
    if (this.#isFinal) throw new OptionsError("the turn was committed or discarded already");
    if (this.#calls.names.length === 0) {
      this.#isFinal = true;
      return noCalls(this.#shape ?? "anthropic", this.#sent.batchId) as TurnResult<S>;
    }
    this.#calls.commit();
    this.#isFinal = true;
    this.#live?.end();
    return (await this.#result) as TurnResult<S>;
  }

  /** Nothing of the turn runs any more, and what waited never does. After the commit: nothing. */
  discard(): void {
    if (this.#isFinal) return;
    this.#isFinal = true;
    this.#discarded.abort(new SidecallError("the turn was discarded"));
    this.#live?.cancel();
  }

  /** {@link discard}, for `await using`: leaving by an exception discards the turn. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.discard();
    await this.#result?.catch(() => undefined);
  }

  #write(step: ExecuteStreamRequest): void {
    this.#steps.push(step);
    this.#live?.write(step);
    if (!this.#result) {
      // With the first call, and not before: a turn without calls is never sent.
      this.#result = this.#run();
      // Whoever commits is told; until then nobody asks.
      this.#result.catch(() => undefined);
    }
  }

  async #run(): Promise<TurnResult> {
    const until = this.#sent.deadline ?? Date.now() + RESEND_FOR_MS;
    for (let count = 1; ; count += 1) {
      const { signal, deadline } = this.#sent;
      await unlessAborted(signal, () => this.#connection.ready(deadline, signal));
      const ended = await this.#once();
      if (!(ended instanceof Error)) {
        if (!ended.broken || this.#isFinal) return ended;
        // Before the commit only calls ran that read, so that all may run once more;
        // as another batch, since of this one the server may know.
        this.#sent = renamed(this.#sent);
      } else if (ended.retryAfterMs === undefined) {
        throw ended;
      }
      const after = ended instanceof Error ? (ended.retryAfterMs ?? 0) : 0;
      const wait = delayMs(count, after, until - Date.now(), Math.random());
      if (wait === undefined) {
        if (ended instanceof Error) throw ended;
        return ended;
      }
      await unlessAborted(signal, () => sleep(wait, undefined, { signal }));
    }
  }

  /** One sending: what the turn came to, or that it was refused. */
  async #once() {
    const shape = this.#shape as Shape;
    const { deadline, fields, batchId } = this.#sent;
    const stream = await this.#connection.bidiStream(
      SidecallService.method.executeStream,
      deadline === undefined ? {} : { deadline },
    );
    const open = { case: "open", value: { ...fields, shape: SHAPES[shape] } };
    stream.write(create(ExecuteStreamRequestSchema, { step: open } as never));
    for (const step of this.#steps) stream.write(step);
    if (this.#isFinal) stream.end();
    else this.#live = stream;
    const batch = new Batch(batchId, shape, this.#calls.names);
    const events = follow(this.#connection, stream, batch, this.#sent, LATE_REASONS);
    try {
      for (;;) {
        const { done, value } = await events.next();
        if (done) {
          if (value === undefined) throw new SidecallError("the turn has no end");
          return value;
        }
        this.#options.onEvent?.(value as BatchEvent<S>);
        if (value.type === "finished") return value.turn;
      }
    } finally {
      this.#live = undefined;
      // Also where whoever is told fails: nobody follows the stream any more.
      await events.return(undefined);
    }
  }
}

function renamed(sent: Sending): Sending {
  const batchId = newBatchId();
  return { ...sent, batchId, fields: { ...sent.fields, batchId } };
}
