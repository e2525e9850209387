/** Steps of `streamText`, whose calls come while the model still writes. */

import { isDeepStrictEqual } from "node:util";

import type { LanguageModelMiddleware } from "ai";

import type { Sidecall } from "../client.js";
import { SidecallError } from "../errors.js";
import type { BatchOptions } from "../options.js";
import type { CallResult } from "../result.js";
import type { TurnStream } from "../stream.js";
import type { TurnResult } from "../turn_result.js";
import type { Call } from "./call.js";

/**
 * How long to wait, once the model has finished, for a call that the SDK does not make:
 * one that it found invalid, or that a person has to allow first.
 */
const MISSING_MS = 25;

/** What a step is run with. */
interface Running {
  readonly sidecall: Sidecall;
  readonly options: BatchOptions;
  readonly onTurn: ((turn: TurnResult) => void) | undefined;
}

/** Knows the steps that models are writing, by the calls in them. */
export class Steps {
  readonly #running: Running;
  readonly #names: ReadonlySet<string>;
  readonly #byCall = new Map<string, Step>();

  constructor(running: Running, names: ReadonlySet<string>) {
    this.#running = running;
    this.#names = names;
  }

  /** Adds a call to its step; `undefined` where no stream is known that has it. */
  add(call: Call): Promise<CallResult> | undefined {
    const step = this.#byCall.get(call.id);
    this.#byCall.delete(call.id);
    return step?.add(call);
  }

  /** Tells which calls a step has, and when the model has written them all. */
  readonly middleware: LanguageModelMiddleware = {
    specificationVersion: "v3",
    wrapStream: async ({ doStream }) => {
      const { stream, ...rest } = await doStream();
      const step = new Step(this.#running);
      const watched = new TransformStream<Part, Part>({
        transform: (part, controller) => {
          if (
            part.type === "tool-call" &&
            !part.providerExecuted &&
            this.#names.has(part.toolName)
          ) {
            step.expect(part.toolCallId, part.input);
            this.#byCall.set(part.toolCallId, step);
          }
          if (part.type === "finish") step.finish();
          controller.enqueue(part);
        },
        // A stream that ends without its finish was cut: its turn is asked for again.
        flush: () => step.cut(),
      });
      return { ...rest, stream: stream.pipeThrough(watched) };
    },
  };
}

type Part =
  Awaited<
    ReturnType<NonNullable<LanguageModelMiddleware["wrapStream"]>>
  >["stream"] extends ReadableStream<infer P>
    ? P
    : never;

interface Waiting {
  resolve(result: CallResult): void;
  reject(error: unknown): void;
}

/** One step: a turn that is streamed. */
class Step {
  readonly #running: Running;
  /** Calls that the model wrote and the SDK has not made yet, with their input. */
  readonly #expected = new Map<string, string>();
  /** Of calls that were made, by their place in the turn, until they are answered. */
  readonly #waiting = new Map<number, Waiting>();
  #turn: TurnStream<"ai_sdk"> | undefined;
  #count = 0;
  #state: "written" | "finished" | "committed" = "written";
  #timer: NodeJS.Timeout | undefined;

  constructor(running: Running) {
    this.#running = running;
  }

  expect(id: string, input: string): void {
    this.#expected.set(id, input);
  }

  add({ id, name, input, signal }: Call): Promise<CallResult> {
    const { sidecall, options } = this.#running;
    this.#turn ??= sidecall.stream({
      ...options,
      shape: "ai_sdk",
      signal,
      onEvent: (event) => {
        if (event.type === "result") this.#settle(event.result.index, event.result);
      },
    });
    const written = this.#expected.get(id);
    this.#expected.delete(id);
    // As the model wrote it, unless the SDK made something else of it.
    const exact = written !== undefined && isDeepStrictEqual(JSON.parse(written || "{}"), input);
    const place = this.#count;
    this.#count += 1;
    return new Promise((resolve, reject) => {
      this.#waiting.set(place, { resolve, reject });
      this.#turn?.feed({
        type: "tool-call",
        toolCallId: id,
        toolName: name,
        input: exact ? written || "{}" : input,
      });
      this.#commitIfWhole();
    });
  }

  /** The model has written all of it. */
  finish(): void {
    if (this.#state !== "written") return;
    this.#state = "finished";
    this.#commitIfWhole();
  }

  /** The model's stream is over, and its turn never was. */
  cut(): void {
    if (this.#state !== "written") return;
    this.#state = "committed";
    this.#turn?.discard();
    this.#fail(
      new SidecallError("the model's stream ended before the turn did: nothing of it runs"),
    );
  }

  #commitIfWhole(): void {
    clearTimeout(this.#timer);
    if (this.#state !== "finished") return;
    if (this.#expected.size === 0) void this.#commit();
    else this.#timer = setTimeout(() => void this.#commit(), MISSING_MS);
  }

  async #commit(): Promise<void> {
    this.#state = "committed";
    if (!this.#turn) return;
    try {
      const turn = await this.#turn.commit();
      this.#running.onTurn?.(turn);
      for (const result of turn.results) this.#settle(result.index, result);
      this.#fail(new SidecallError("the call has no result: this is a fault of the client"));
    } catch (error) {
      this.#fail(error);
    }
  }

  #settle(place: number, result: CallResult): void {
    this.#waiting.get(place)?.resolve(result);
    this.#waiting.delete(place);
  }

  /** What is still waited for never comes. */
  #fail(error: unknown): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
