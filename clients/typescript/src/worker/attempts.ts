/** The attempts that a worker runs at the moment, over one stream. */

import { create, toBinary } from "@bufbuild/protobuf";

import { toMs } from "../duration.js";
import * as trace from "../trace.js";
import {
  type Content,
  type ServeToolsRequest,
  ServeToolsRequestSchema,
  type WorkerAttempt,
} from "../wire/sidecall/v1/sidecall_pb.js";
import { contentOf, textOf } from "./output.js";
import { errorText, type Offered, type ToolContext } from "./tool.js";

/** Says something over the stream. It is known to be fit for it. */
type Say = (request: ServeToolsRequest) => void;

/** The server takes no larger result of a worker. */
const RESULT_BYTES_MAX = 8 << 20;
/** The server cuts what a tool says of its error at 8 KiB. */
const ERROR_CHARS_MAX = 8 << 10;
/** Between two words about an attempt's progress, at least. */
const PROGRESS_EVERY_MS = 50;

export class Attempts {
  readonly #tools: ReadonlyMap<string, Offered>;
  readonly #say: Say;
  /** By their id; what is not here any more is not answered. */
  readonly #running = new Map<bigint, AbortController>();
  readonly #idle: (() => void)[] = [];

  constructor(tools: ReadonlyMap<string, Offered>, say: Say) {
    this.#tools = tools;
    this.#say = say;
  }

  begin(attempt: WorkerAttempt): void {
    const controller = new AbortController();
    this.#running.set(attempt.attemptId, controller);
    const timeout = toMs(attempt.timeout);
    const over = () => controller.abort(new Error("the attempt's time is over"));
    const timer = timeout > 0 ? setTimeout(over, timeout) : undefined;
    // Started by a promise, so that whatever is thrown on the way is an answer too.
    void Promise.resolve()
      .then(() => trace.within(attempt.context, () => this.#run(attempt, controller.signal)))
      .catch((error: unknown) => refused(attempt, errorText(error)))
      .then((result) => {
        clearTimeout(timer);
        this.#end(attempt.attemptId, result);
      });
  }

  /** Nobody waits for it any more: it is told so, and not answered. */
  cancel(id: bigint): void {
    this.#running.get(id)?.abort(new Error("the call was cancelled"));
    this.#forget(id);
  }

  /** The stream is gone, and with it everyone who waited. */
  abandon(): void {
    for (const id of [...this.#running.keys()]) this.cancel(id);
  }

  /** Resolves when none runs. */
  idle(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  async #run(attempt: WorkerAttempt, signal: AbortSignal): Promise<ServeToolsRequest> {
    const { attemptId } = attempt;
    const tool = this.#tools.get(attempt.tool);
    if (!tool) throw new Error(`this worker has no tool ${attempt.tool}`);
    const output = await tool.run(attempt.inputJson, this.#context(attempt, signal));
    const { request, bytes } = fit("result", { attemptId, content: contentOf(output) });
    if (bytes <= RESULT_BYTES_MAX) return request;
    const words = `${attempt.tool} gave ${bytes} bytes, and a worker's result has at most ${RESULT_BYTES_MAX}: ask for less`;
    return refused(attempt, words);
  }

  #context(attempt: WorkerAttempt, signal: AbortSignal): ToolContext {
    const { attemptId, callId, batchId, sessionId, number, idempotencyKey, inputJson } = attempt;
    let lastAt = Number.NEGATIVE_INFINITY;
    return {
      signal,
      callId,
      batchId,
      sessionId,
      attempt: number,
      idempotencyKey: idempotencyKey || undefined,
      inputText: inputJson,
      progress: ({ done, total, message = "" }) => {
        const now = performance.now();
        const isLast = done !== undefined && done === total;
        if (!this.#running.has(attemptId) || (now - lastAt < PROGRESS_EVERY_MS && !isLast)) return;
        lastAt = now;
        const known = { attemptId, message, ...(done !== undefined && { done }) };
        const value = { ...known, ...(total !== undefined && { total }) };
        this.#say(fit("progress", value).request);
      },
    };
  }

  #end(id: bigint, result: ServeToolsRequest): void {
    if (this.#running.has(id)) this.#say(result);
    this.#forget(id);
  }

  #forget(id: bigint): void {
    this.#running.delete(id);
    if (this.#running.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }
}

/**
 * A message as the stream takes it. What does not fit the wire is found out here, where
 * it costs one call: in the stream's own writing it would end the stream.
 */
function fit(kind: "result" | "progress", value: object) {
  const request = create(ServeToolsRequestSchema, { message: { case: kind, value } } as never);
  return { request, bytes: toBinary(ServeToolsRequestSchema, request).length };
}

/** An answer that says no. Of words without end the beginning. */
function refused({ attemptId }: WorkerAttempt, words: string): ServeToolsRequest {
  const content: Content[] = [textOf(words.slice(0, ERROR_CHARS_MAX))];
  return fit("result", { attemptId, content, isError: true }).request;
}
