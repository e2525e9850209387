/** What happens in a batch, as it happens. */

import type { Edge, Plan, PlannedCall } from "./plan.js";
import type { CallResult, Failure, Timings } from "./result.js";
import type { Shape } from "./turn/shape.js";
import type { TurnResult } from "./turn_result.js";

/** One thing that happened in a batch. Skip types that you do not know. */
export type BatchEvent<S extends Shape = Shape> =
  /** First: the batch will run. */
  | { readonly type: "accepted"; readonly batchId: string; readonly plan: Plan }
  /** A call came after the batch was accepted: of turns that are streamed. */
  | {
      readonly type: "planned";
      readonly index: number;
      readonly call: PlannedCall;
      readonly edges: readonly Edge[];
    }
  /** An attempt of a call begins. */
  | {
      readonly type: "started";
      readonly callId: string;
      readonly index: number;
      /** 1 for the first. */
      readonly attempt: number;
      /** Since the batch was accepted. */
      readonly atMs: number;
      readonly timings: Timings;
    }
  /** As the tool reported it. */
  | {
      readonly type: "progress";
      readonly callId: string;
      readonly index: number;
      readonly done: number | undefined;
      readonly total: number | undefined;
      readonly message: string;
    }
  /** An attempt failed and another follows. */
  | {
      readonly type: "retrying";
      readonly callId: string;
      readonly index: number;
      readonly attempt: number;
      readonly delayMs: number;
      readonly failure: Failure | undefined;
    }
  /** A call is terminal: exactly one for each, in the order in which they end. */
  | { readonly type: "result"; readonly result: CallResult }
  /** Last: the turn is over. */
  | { readonly type: "finished"; readonly turn: TurnResult<S> };
