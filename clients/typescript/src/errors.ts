/**
 * What can go wrong with a whole turn. A call that fails is never an error: it
 * has its result, like every other.
 */

import { status as Code } from "@grpc/grpc-js";

import type { Refusal, Violation } from "./refusal.js";
import type { TurnResult } from "./turn_result.js";

/** Every error of this package. `message` says what is wrong and what to do. */
export class SidecallError extends Error {
  override name = "SidecallError";
}

/** The options contradict each other, or one of them cannot be used. */
export class OptionsError extends SidecallError {
  override name = "OptionsError";
}

/** What was handed over is no assistant message of a shape that is known. */
export class UnknownShapeError extends SidecallError {
  override name = "UnknownShapeError";
}

/** No connection came about. Nothing was sent. */
export class UnreachableError extends SidecallError {
  override name = "UnreachableError";
  /** Where the server was looked for. */
  readonly address: string;

  constructor(address: string, cause?: unknown) {
    super(
      `no Sidecall answers at ${address}: start \`sidecall serve\`, or set SIDECALL_ADDRESS to where it listens; nothing was sent`,
      { cause },
    );
    this.address = address;
  }
}

/**
 * The server refused the request, and nothing of it has run; of a streamed turn, whose
 * fault may come late, nothing but calls that read. The reasons are listed in
 * docs/errors.md.
 */
export class RefusedError extends SidecallError {
  override name = "RefusedError";
  /** `INVALID`, `EXHAUSTED`, `DRAINING`, `BATCH_RUNNING`, …; empty where the server did not say. */
  readonly reason: string;
  /** The gRPC status: `INVALID_ARGUMENT`. */
  readonly status: string;
  /** What is wrong with the request, and where. */
  readonly violations: readonly Violation[];
  /** After which time the same request may be accepted. */
  readonly retryAfterMs: number | undefined;
  /** Under which the server's log has the cause. */
  readonly correlationId: string | undefined;

  constructor(refusal: Refusal) {
    const status = Code[refusal.code] ?? String(refusal.code);
    super(`${refusal.message} (${refusal.reason || status}): ${advice(refusal)}`);
    this.reason = refusal.reason;
    this.status = status;
    this.violations = refusal.violations;
    this.retryAfterMs = refusal.retryAfterMs;
    this.correlationId = refusal.metadata["correlation_id"];
  }
}

/** The connection broke before everything had come. */
export class BrokenError extends SidecallError {
  override name = "BrokenError";
}

/**
 * The caller's signal was raised. `turn` still has a result for every call, so
 * that the conversation can go on.
 */
export class AbortedError extends SidecallError {
  /** As `fetch` calls it. */
  override name = "AbortError";
  /** What every call came to; not set where nothing had been sent. */
  readonly turn: TurnResult | undefined;

  constructor(turn: TurnResult | undefined, cause: unknown) {
    super(
      turn
        ? "aborted: open calls were cancelled; `turn` of this error has a result for each, to be appended like any other"
        : "aborted before anything was sent",
      { cause },
    );
    this.turn = turn;
  }
}

function advice(refusal: Refusal): string {
  switch (refusal.reason) {
    case "INVALID":
      return "mend the request; `violations` lists what is wrong";
    case "EXHAUSTED":
      return "the process or the session has too much open: send it again later, or raise the bound";
    case "TOO_LARGE":
      return "send smaller turns, or raise the bound";
    case "DRAINING":
      return "the server is ending: send it to another, or again later";
    case "BATCH_RUNNING":
      return "the same batch is running: wait for the stream that you have";
    case "BATCH_FINISHED":
      return "the same batch has run: do not send it again";
    case "BATCH_ID_REUSED":
      return "make a new batch id for every turn, or leave it to this client";
    case "BATCH_NOT_FOUND":
      return "no such batch runs any more";
    case "INTERNAL":
      return "a fault of the server's: its log has the cause under `correlationId`";
  }
  switch (refusal.code) {
    case Code.UNIMPLEMENTED:
      return "the server is older than this client, or what answers is no Sidecall";
    case Code.UNAUTHENTICATED:
      return "set `bearer`, or `tls.cert` and `tls.key`, to credentials that the server's `callers` know; its log says why these did not do";
    case Code.PERMISSION_DENIED:
      return "the server knows this caller and does not let it do this";
    case Code.RESOURCE_EXHAUSTED:
      return "the server takes no message of this size, or no more requests: send less, or later";
  }
  return "nothing of it has run";
}
