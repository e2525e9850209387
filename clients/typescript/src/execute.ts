/** One turn, from its sending to its end, whatever happens on the way. */

import { setTimeout as sleep } from "node:timers/promises";

import { create } from "@bufbuild/protobuf";

import { Batch } from "./batch.js";
import { newBatchId } from "./batch_id.js";
import type { Connection } from "./connection.js";
import { fromMs } from "./duration.js";
import { AbortedError, BrokenError, OptionsError, RefusedError } from "./errors.js";
import type { BatchEvent } from "./event.js";
import type { Loss } from "./loss.js";
import type { BatchOptions } from "./options.js";
import { isRefused, isServiceError, isUnsent, refusal } from "./refusal.js";
import { delayMs, RESEND_FOR_MS } from "./resend.js";
import type { Shape } from "./turn/shape.js";
import type { Turn } from "./turn/turn.js";
import { noCalls } from "./turn_result.js";
import {
  CancelBatchRequestSchema,
  type ExecuteBatchRequest,
  ExecuteBatchRequestSchema,
  Ordering,
  References,
  SidecallService,
} from "./wire/sidecall/v1/sidecall_pb.js";

/** After an abort, how long the server is given to say what became of the calls. */
const ABORT_WAIT_MS = 1000;

/** What both kinds of turns are sent with, checked. */
export interface Sending {
  readonly batchId: string;
  /** When it must be over, by this process's clock. */
  readonly deadline: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** The options as fields of the request. */
  readonly fields: {
    readonly batchId: string;
    readonly sessionId: string;
    readonly references: References;
    readonly ordering: Ordering;
    readonly callTimeout: ReturnType<typeof fromMs>;
  };
}

/** Reads the options. The batch's id is fixed here, before the first sending. */
export function sending(options: BatchOptions): Sending {
  const { signal, timeoutMs, callTimeoutMs } = options;
  for (const [name, ms] of Object.entries({ timeoutMs, callTimeoutMs })) {
    if (ms !== undefined && !(ms > 0 && Number.isFinite(ms))) {
      throw new OptionsError(`${name} is ${ms}: give milliseconds above 0, or leave it out`);
    }
  }
  const batchId = options.batchId ?? newBatchId();
  return {
    batchId,
    deadline: timeoutMs === undefined ? undefined : Date.now() + timeoutMs,
    signal,
    fields: {
      batchId,
      sessionId: options.sessionId ?? "",
      references: options.references ? References.ON : References.OFF,
      ordering: options.ordering === "ordered" ? Ordering.ORDERED : Ordering.FREE,
      callTimeout: fromMs(callTimeoutMs),
    },
  };
}

/** Runs a turn. The last event has what it came to. */
export async function* execute(
  connection: Connection,
  turn: Turn,
  options: BatchOptions,
): AsyncGenerator<BatchEvent, void, void> {
  const sent = sending(options);
  if (turn.calls.length === 0) {
    yield { type: "finished", turn: noCalls(turn.shape, sent.batchId) };
    return;
  }
  const request = requestOf(turn, sent);
  const until = sent.deadline ?? Date.now() + RESEND_FOR_MS;
  for (let count = 1; ; count += 1) {
    await unlessAborted(sent.signal, () => connection.ready(sent.deadline, sent.signal));
    const batch = new Batch(sent.batchId, turn.shape, turn.calls);
    const stream = await connection.serverStream(
      SidecallService.method.executeBatch,
      request,
      sent.deadline === undefined ? {} : { deadline: sent.deadline },
    );
    const refused = yield* follow(connection, stream, batch, sent);
    if (refused === undefined) return;
    const wait =
      refused.retryAfterMs === undefined
        ? undefined
        : delayMs(count, refused.retryAfterMs, until - Date.now(), Math.random());
    if (wait === undefined) throw refused;
    await unlessAborted(sent.signal, () => sleep(wait, undefined, { signal: sent.signal }));
  }
}

/** What is needed of a stream of grpc-js. */
type Stream = AsyncIterable<{ event?: Parameters<Batch["add"]>[0] | undefined }> & {
  cancel(): void;
};

/**
 * Follows a batch to its end. Answers with the refusal, where it was refused, and
 * so has had no effect.
 *
 * @param lateReasons with which it may be refused after it was accepted
 * @throws {AbortedError} when the caller's signal was raised
 */
export async function* follow(
  connection: Connection,
  stream: Stream,
  batch: Batch,
  { batchId, signal }: Sending,
  lateReasons: readonly string[] = [],
): AsyncGenerator<BatchEvent, RefusedError | undefined, void> {
  const abort = new Abort(connection, stream, batch, batchId, signal);
  let end: unknown;
  try {
    const responses = stream[Symbol.asyncIterator]();
    for (;;) {
      // Its error says how it ended, and no error of whoever follows is taken for it.
      const next = await responses.next().catch((error: unknown) => {
        end = error;
      });
      if (!next || next.done) break;
      const { event } = next.value;
      const told = event && batch.add(event);
      if (told) yield told;
    }
  } finally {
    // Also where whoever follows goes away.
    abort.dispose();
    stream.cancel();
  }
  if (batch.isFinished) {
    const turn = batch.finish();
    if (signal?.aborted) throw new AbortedError(turn, signal.reason);
    yield { type: "finished", turn };
    return undefined;
  }
  if (isServiceError(end) && !signal?.aborted) {
    const read = refusal(end);
    // Its connection went a moment before: the next one is waited for.
    if (isUnsent(end)) return new RefusedError({ ...read, retryAfterMs: 0 });
    const isKnown = batch.isAccepted ? lateReasons.includes(read.reason) : isRefused(read);
    if (isKnown) return new RefusedError(read);
  }
  const loss = lossOf(end, signal);
  const turn = batch.salvage(loss, broken(end));
  if (signal?.aborted) throw new AbortedError(turn, signal.reason);
  yield { type: "finished", turn };
  return undefined;
}

function broken(end: unknown): BrokenError {
  const words = isServiceError(end) ? end.message : "the stream ended before the batch did";
  return new BrokenError(
    `${words}: the results that never came were made here; find out what happened to those that are outcome_unknown`,
    { cause: end },
  );
}

function lossOf(end: unknown, signal: AbortSignal | undefined): Loss {
  if (signal?.aborted) return "aborted";
  const DEADLINE_EXCEEDED = 4;
  return isServiceError(end) && end.code === DEADLINE_EXCEEDED ? "deadline" : "disconnected";
}

/** What a raised signal does to a batch. */
class Abort {
  readonly #signal: AbortSignal | undefined;
  readonly #raised: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    connection: Connection,
    stream: Stream,
    batch: Batch,
    batchId: string,
    signal: AbortSignal | undefined,
  ) {
    this.#signal = signal;
    this.#raised = () => {
      if (!batch.isAccepted) return stream.cancel();
      // The server ends the calls and says of each what is known. If it does not
      // in time, neither does it matter to the caller any more.
      const cancel = () => stream.cancel();
      this.#timer = setTimeout(cancel, ABORT_WAIT_MS);
      const request = create(CancelBatchRequestSchema, { batchId });
      const deadline = Date.now() + ABORT_WAIT_MS;
      connection.unary(SidecallService.method.cancelBatch, request, { deadline }).catch(cancel);
    };
    if (signal?.aborted) this.#raised();
    else signal?.addEventListener("abort", this.#raised, { once: true });
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#raised);
  }
}

/** Waits for something before anything was sent. */
export async function unlessAborted<T>(
  signal: AbortSignal | undefined,
  wait: () => Promise<T>,
): Promise<T> {
  try {
    return await wait();
  } catch (error) {
    if (signal?.aborted) throw new AbortedError(undefined, signal.reason);
    throw error;
  }
}

function requestOf(turn: Turn, { fields }: Sending): ExecuteBatchRequest {
  return create(ExecuteBatchRequestSchema, { ...fields, turn: turnField(turn) });
}

const TURN_FIELDS = {
  anthropic: "anthropicJson",
  openai_chat: "openaiChatJson",
  openai_responses: "openaiResponsesJson",
  gemini: "geminiJson",
  bedrock: "bedrockJson",
  ai_sdk: "aiSdkJson",
  langchain: "langchainJson",
} as const satisfies Record<Shape, string>;

/** The turn as a field of a request. */
export function turnField(turn: Turn) {
  return { case: TURN_FIELDS[turn.shape], value: turn.json };
}
