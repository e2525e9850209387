/** What a turn came to. */

import type { BrokenError } from "./errors.js";
import type { Plan } from "./plan.js";
import type { CallResult } from "./result.js";
import type { Items, Messages, Shape } from "./turn/shape.js";

/** Counts and times of a turn. */
export interface Summary {
  readonly calls: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly skipped: number;
  /** From accepted to finished. */
  readonly durationMs: number;
  /** What the same calls would have taken one after the other. */
  readonly sequentialMs: number;
  /** The chain of calls that determined the duration, by call id. */
  readonly criticalPath: readonly string[];
}

/** What a turn came to: as many results as it has calls, whatever happened. */
export interface TurnResult<S extends Shape = Shape> {
  readonly batchId: string;
  readonly shape: S;
  /** The next message's content: a result for each call, in call order. */
  readonly content: Items[S][];
  /** `content` as JSON text, each item byte for byte as it came. */
  readonly texts: readonly string[];
  /** What is appended to the conversation: `messages.push(...turn.messages)`. */
  readonly messages: Messages[S][];
  /** In call order. */
  readonly results: readonly CallResult[];
  /** Not set where the turn had no call, or was never accepted. */
  readonly plan: Plan | undefined;
  readonly summary: Summary;
  /**
   * Set when the server was lost on the way: then the results that never came are
   * made here, `outcome_unknown` where the call may have taken effect.
   */
  readonly broken: BrokenError | undefined;
}

/** Puts together what a turn came to. */
export function turnResult(
  parts: Omit<TurnResult, "content" | "messages"> & { readonly items: readonly unknown[] },
): TurnResult {
  const { items, ...rest } = parts;
  const content = items as Items[Shape][];
  return { ...rest, content, messages: messages(rest.shape, content) };
}

/** The messages that hold the items, as each provider has it. */
function messages(shape: Shape, items: Items[Shape][]): Messages[Shape][] {
  if (items.length === 0) return [];
  const one = (message: object) => [message as Messages[Shape]];
  switch (shape) {
    case "anthropic":
    case "bedrock":
      return one({ role: "user", content: items });
    case "gemini":
      return one({ role: "user", parts: items });
    case "ai_sdk":
      return one({ role: "tool", content: items });
    case "langchain":
      return (items as Items["langchain"][]).map(({ type, ...rest }) => ({ role: type, ...rest }));
    default:
      return [...items] as Messages[Shape][];
  }
}

/** A turn without calls: nothing is to be run, and nothing to be appended. */
export function noCalls(shape: Shape, batchId: string): TurnResult {
  const summary = {
    calls: 0,
    succeeded: 0,
    failed: 0,
    cancelled: 0,
    skipped: 0,
    durationMs: 0,
    sequentialMs: 0,
    criticalPath: [],
  };
  return turnResult({
    batchId,
    shape,
    items: [],
    texts: [],
    results: [],
    plan: undefined,
    summary,
    broken: undefined,
  });
}
