/**
 * The wire's enums as the words that the model and the docs use:
 * `FAILURE_CODE_INVALID_INPUT` is `invalid_input`.
 */

import type { DescEnum } from "@bufbuild/protobuf";

import {
  EdgeKindSchema,
  EdgeStrengthSchema,
  EffectSchema,
  FailureCodeSchema,
  FailureOriginSchema,
  OutcomeSchema,
  RetryAdviceSchema,
  SourceSchema,
} from "./wire/sidecall/v1/sidecall_pb.js";

/** How a call ended. */
export type Outcome = "succeeded" | "failed" | "cancelled" | "skipped";

/** Where a result came from. */
export type Source = "executed" | "shared" | "cached" | "fallback";

/** What went wrong with a call; each is described in docs/errors.md. */
export type FailureCode =
  | "invalid_input"
  | "unknown_tool"
  | "denied"
  | "tool_error"
  | "conflict"
  | "dependency_failed"
  | "rate_limited"
  | "budget_exceeded"
  | "repeated"
  | "unavailable"
  | "backend_error"
  | "attempt_timeout"
  | "deadline_exceeded"
  | "cancelled"
  | "lock_timeout"
  | "overloaded"
  | "result_too_large"
  | "result_invalid"
  | "outcome_unknown"
  | "worker_lost"
  | "internal";

/** Whose fault it was. */
export type FailureOrigin = "caller" | "sidecall" | "backend";

/** What can help a call that failed. */
export type RetryAdvice = "never" | "same_input" | "after" | "changed_input" | "verify_first";

/** What running a tool twice means. */
export type Effect = "read_only" | "keyed" | "transactional" | "at_most_once" | "at_least_once";

/** Why a call waits for another. */
export type EdgeKind = "explicit" | "reference" | "after" | "resource" | "block_order";

/** What a parent's failure means for the child. */
export type EdgeStrength = "need" | "optional" | "order" | "keys";

/** The word of a number, and the number of a word; what is not named has neither. */
export interface Words<Word extends string> {
  word(value: number): Word | undefined;
  value(word: Word): number;
}

function words<Word extends string>(schema: DescEnum): Words<Word> {
  const byNumber = new Map<number, Word>();
  const byWord = new Map<string, number>();
  for (const { number, localName } of schema.values) {
    if (number === 0) continue;
    byNumber.set(number, localName.toLowerCase() as Word);
    byWord.set(localName.toLowerCase(), number);
  }
  return {
    word: (value) => byNumber.get(value),
    value: (word) => byWord.get(word) ?? 0,
  };
}

export const OUTCOMES = words<Outcome>(OutcomeSchema);
export const SOURCES = words<Source>(SourceSchema);
export const FAILURE_CODES = words<FailureCode>(FailureCodeSchema);
export const FAILURE_ORIGINS = words<FailureOrigin>(FailureOriginSchema);
export const RETRY_ADVICE = words<RetryAdvice>(RetryAdviceSchema);
export const EFFECTS = words<Effect>(EffectSchema);
export const EDGE_KINDS = words<EdgeKind>(EdgeKindSchema);
export const EDGE_STRENGTHS = words<EdgeStrength>(EdgeStrengthSchema);
