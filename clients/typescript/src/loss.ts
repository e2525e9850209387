/** Results of calls whose own never came. */

import type { PlannedCall } from "./plan.js";
import type { CallResult, Failure } from "./result.js";
import type { Outcome } from "./words.js";

/** Why nothing more comes of a batch. */
export type Loss = "disconnected" | "aborted" | "deadline";

/** A call that nothing more comes of. */
export interface LostCall {
  readonly index: number;
  readonly id: string;
  readonly tool: string;
  readonly planned: PlannedCall | undefined;
  readonly loss: Loss;
}

/**
 * The result of a call whose own never came. Whether it ran is not known here: that
 * it began may not have been told any more. So what may not be done twice is
 * `outcome_unknown`, and only what the server said to be harmless is not.
 */
export function lost(call: LostCall): CallResult {
  const { outcome, failure } = whatIsKnown(call);
  return {
    callId: call.id,
    tool: call.tool,
    index: call.index,
    outcome,
    isError: true,
    source: undefined,
    content: [],
    failure,
    timings: {
      blockedMs: 0,
      lockedMs: 0,
      queuedMs: 0,
      throttledMs: 0,
      backingOffMs: 0,
      runningMs: 0,
    },
    attempts: [],
    truncation: undefined,
    isClientMade: true,
  };
}

function whatIsKnown({ planned, loss }: LostCall): { outcome: Outcome; failure: Failure } {
  if (planned?.fault) return { outcome: "failed", failure: planned.fault };
  const base = { origin: "sidecall", retryAfterMs: undefined, attempts: 0 } as const;
  const why = WHY[loss];
  if (planned?.effect === "read_only" || planned?.effect === "keyed") {
    const message = `${why.words} before the result of this call came. It can safely be called again.`;
    return {
      outcome: loss === "aborted" ? "cancelled" : "failed",
      failure: { ...base, code: why.code, retry: "same_input", message },
    };
  }
  const message =
    `${why.words} before the result of this call came. It may have taken effect. ` +
    "Find out whether it did before calling it again.";
  return {
    outcome: "failed",
    failure: { ...base, code: "outcome_unknown", retry: "verify_first", message },
  };
}

const WHY = {
  disconnected: { code: "unavailable", words: "The connection to Sidecall broke" },
  aborted: { code: "cancelled", words: "The turn was cancelled" },
  deadline: { code: "deadline_exceeded", words: "The time of the turn was over" },
} as const;
