/** The result of a call. */

import { toMs } from "./duration.js";
import type * as wire from "./wire/sidecall/v1/sidecall_pb.js";
import {
  FAILURE_CODES,
  FAILURE_ORIGINS,
  type FailureCode,
  type FailureOrigin,
  OUTCOMES,
  type Outcome,
  RETRY_ADVICE,
  type RetryAdvice,
  SOURCES,
  type Source,
} from "./words.js";

/** One block of a result. */
export type Content =
  | { readonly type: "text"; readonly text: string }
  /** `text` is the JSON as the tool wrote it; `JSON.parse` it where doubles suffice. */
  | { readonly type: "json"; readonly text: string }
  | { readonly type: "image"; readonly mediaType: string; readonly data: Uint8Array }
  | { readonly type: "document"; readonly mediaType: string; readonly data: Uint8Array }
  | { readonly type: "link"; readonly uri: string; readonly name: string };

/** Where a call's time went, in milliseconds. */
export interface Timings {
  /** Waiting for the calls that it needs. */
  readonly blockedMs: number;
  /** Waiting for locks. */
  readonly lockedMs: number;
  /** Waiting for a free place. */
  readonly queuedMs: number;
  /** Waiting for tokens. */
  readonly throttledMs: number;
  /** Waiting between attempts. */
  readonly backingOffMs: number;
  /** In attempts. */
  readonly runningMs: number;
}

/** Why a call did not succeed. */
export interface Failure {
  readonly code: FailureCode;
  readonly origin: FailureOrigin;
  /** What can help. */
  readonly retry: RetryAdvice;
  /** With `after`: how long to wait. */
  readonly retryAfterMs: number | undefined;
  /** For the model: what happened, whether trying again can help, what would be valid. */
  readonly message: string;
  /** Attempts made; 0 when it never ran. */
  readonly attempts: number;
}

/** One attempt of a call that had to be tried more than once. */
export interface Attempt {
  /** When it began, since the batch was accepted. */
  readonly atMs: number;
  readonly backingOffMs: number;
  readonly queuedMs: number;
  readonly throttledMs: number;
  readonly runningMs: number;
  /** What went wrong, if anything did. */
  readonly code: FailureCode | undefined;
}

/** How a call ended. There is one for each call, whatever happened. */
export interface CallResult {
  readonly callId: string;
  readonly tool: string;
  /** Its place in the turn, from 0. */
  readonly index: number;
  readonly outcome: Outcome;
  /** What the model must read as an error. */
  readonly isError: boolean;
  /** Where the content came from; not set of a call that did not succeed. */
  readonly source: Source | undefined;
  readonly content: readonly Content[];
  /** Set unless the call succeeded. */
  readonly failure: Failure | undefined;
  readonly timings: Timings;
  /** Each attempt, where one had to be made again. */
  readonly attempts: readonly Attempt[];
  /** Set when the content was cut to the tool's limit. */
  readonly truncation: { readonly wholeBytes: number; readonly keptBytes: number } | undefined;
  /** Made by this client, since the server's own result never came. */
  readonly isClientMade: boolean;
}

/** A result of the wire; `content` is given where it came in parts. */
export function fromWire(result: wire.ToolResult, content?: readonly Content[]): CallResult {
  return {
    callId: result.callId,
    tool: result.tool,
    index: result.index,
    outcome: OUTCOMES.word(result.outcome) ?? "failed",
    isError: result.isError,
    source: SOURCES.word(result.source),
    content: content ?? result.content.flatMap((block) => contentFromWire(block) ?? []),
    failure: failureFromWire(result.failure),
    timings: timingsFromWire(result.timings),
    attempts: result.attempts.map((attempt) => ({
      atMs: toMs(attempt.at),
      backingOffMs: toMs(attempt.backingOff),
      queuedMs: toMs(attempt.queued),
      throttledMs: toMs(attempt.throttled),
      runningMs: toMs(attempt.running),
      code: FAILURE_CODES.word(attempt.code),
    })),
    truncation: result.truncation && {
      wholeBytes: Number(result.truncation.wholeBytes),
      keptBytes: Number(result.truncation.keptBytes),
    },
    isClientMade: false,
  };
}

/** One block; `undefined` of a kind that this version does not know. */
export function contentFromWire({ block }: wire.Content): Content | undefined {
  switch (block.case) {
    case "text":
    case "json":
      return { type: block.case, text: block.value };
    case "image":
    case "document":
      return { type: block.case, mediaType: block.value.mediaType, data: block.value.data };
    case "link":
      return { type: "link", uri: block.value.uri, name: block.value.name };
    default:
      return undefined;
  }
}

/** Why a call failed; a code that this version does not know is read as `internal`. */
export function failureFromWire(failure: wire.Failure | undefined): Failure | undefined {
  return (
    failure && {
      code: FAILURE_CODES.word(failure.code) ?? "internal",
      origin: FAILURE_ORIGINS.word(failure.origin) ?? "sidecall",
      retry: RETRY_ADVICE.word(failure.retry) ?? "never",
      retryAfterMs: failure.retryAfter && toMs(failure.retryAfter),
      message: failure.message,
      attempts: failure.attempts,
    }
  );
}

/** What is absent took no time. */
export function timingsFromWire(timings: wire.Timings | undefined): Timings {
  return {
    blockedMs: toMs(timings?.blocked),
    lockedMs: toMs(timings?.locked),
    queuedMs: toMs(timings?.queued),
    throttledMs: toMs(timings?.throttled),
    backingOffMs: toMs(timings?.backingOff),
    runningMs: toMs(timings?.running),
  };
}
