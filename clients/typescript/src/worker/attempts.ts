/** The attempts that a worker runs at the moment, over one stream. */

import { toMs } from "../duration.js";
import * as trace from "../trace.js";
import type { WorkerAttempt } from "../wire/sidecall/v1/sidecall_pb.js";
import { contentOf, textOf } from "./output.js";
import { errorText, type Offered, type ToolContext } from "./tool.js";

/** Says something over the stream. */
type Say = (message: { case: "result" | "progress"; value: object }) => void;

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
    void trace
      .within(attempt.context, () => this.#run(attempt, controller.signal))
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

  async #run(attempt: WorkerAttempt, signal: AbortSignal): Promise<object> {
    const { attemptId } = attempt;
    const tool = this.#tools.get(attempt.tool);
    try {
      if (!tool) throw new Error(`this worker has no tool ${attempt.tool}`);
      const output = await tool.run(attempt.inputJson, this.#context(attempt, signal));
      return { attemptId, content: contentOf(output) };
    } catch (error) {
      return { attemptId, content: [textOf(errorText(error))], isError: true };
    }
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
        this.#say({ case: "progress", value: { ...known, ...(total !== undefined && { total }) } });
      },
    };
  }

  #end(id: bigint, result: object): void {
    if (this.#running.has(id)) this.#say({ case: "result", value: result });
    this.#forget(id);
  }

  #forget(id: bigint): void {
    this.#running.delete(id);
    if (this.#running.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }
}
