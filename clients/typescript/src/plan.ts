/** What depends on what. */

import { toMs } from "./duration.js";
import { type Failure, failureFromWire } from "./result.js";
import type * as wire from "./wire/sidecall/v1/sidecall_pb.js";
import {
  EDGE_KINDS,
  EDGE_STRENGTHS,
  type EdgeKind,
  type EdgeStrength,
  EFFECTS,
  type Effect,
} from "./words.js";

/** A call in the plan. */
export interface PlannedCall {
  readonly callId: string;
  readonly tool: string;
  /** Set when it cannot run: the result that it would get. */
  readonly fault: Failure | undefined;
  /** Expected running time, declared or measured. */
  readonly latencyMs: number;
  /** Longest chain of calls before it. */
  readonly depth: number;
  /** On the critical path. */
  readonly isCritical: boolean;
  /** What running it twice means; not set where the server does not say. */
  readonly effect: Effect | undefined;
}

/** One dependency. */
export interface Edge {
  /** Place of the parent in the turn, from 0. */
  readonly from: number;
  /** Place of the child. */
  readonly to: number;
  readonly kind: EdgeKind;
  readonly strength: EdgeStrength;
  /** For people: `${get_user.id}`, `depends_on`, `after get_user`. */
  readonly reason: string;
  /** Where nobody wrote the edge: how much later the child starts for it. */
  readonly costMs: number | undefined;
  /** For people, of such an edge: the declaration that lifts it. */
  readonly remedy: string;
}

/** What a plan will take. */
export interface PlanEstimate {
  /** One after the other. */
  readonly sequentialMs: number;
  /** Along the longest chain. */
  readonly criticalPathMs: number;
  /** The former by the latter. */
  readonly speedup: number;
  /** Most calls at one depth. */
  readonly width: number;
  /** Calls in the longest chain. */
  readonly depth: number;
  /** How much of `criticalPathMs` is for order that nobody wrote. */
  readonly orderMs: number;
}

/** A turn's calls and edges, proven acyclic. */
export interface Plan {
  /** In call order. */
  readonly calls: readonly PlannedCall[];
  /** By child, then by parent. */
  readonly edges: readonly Edge[];
  readonly estimate: PlanEstimate;
  /** Left out to keep the message within its size. */
  readonly edgesOmitted: number;
  readonly callsOmitted: number;
}

export function planFromWire(plan: wire.Plan | undefined): Plan {
  const estimate = plan?.estimate;
  return {
    calls: plan?.calls.map(callFromWire) ?? [],
    edges: plan?.edges.map(edgeFromWire) ?? [],
    estimate: {
      sequentialMs: toMs(estimate?.sequential),
      criticalPathMs: toMs(estimate?.criticalPath),
      speedup: estimate?.speedup ?? 1,
      width: estimate?.width ?? 0,
      depth: estimate?.depth ?? 0,
      orderMs: toMs(estimate?.order),
    },
    edgesOmitted: plan?.edgesOmitted ?? 0,
    callsOmitted: plan?.callsOmitted ?? 0,
  };
}

export function callFromWire(call: wire.PlannedCall): PlannedCall {
  return {
    callId: call.callId,
    tool: call.tool,
    fault: failureFromWire(call.fault),
    latencyMs: toMs(call.latency),
    depth: call.depth,
    isCritical: call.critical,
    effect: EFFECTS.word(call.effect),
  };
}

export function edgeFromWire(edge: wire.Edge): Edge {
  return {
    from: edge.from,
    to: edge.to,
    kind: EDGE_KINDS.word(edge.kind) ?? "explicit",
    strength: EDGE_STRENGTHS.word(edge.strength) ?? "need",
    reason: edge.reason,
    costMs: edge.cost && toMs(edge.cost),
    remedy: edge.remedy,
  };
}
