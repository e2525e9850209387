/**
 * A batch as its events come: puts together what travels in parts, and in the
 * end has a result for every call, also when the events stop before theirs.
 */

import { item } from "./bundle.js";
import { toMs } from "./duration.js";
import type { BrokenError } from "./errors.js";
import type { BatchEvent } from "./event.js";
import { toText } from "./json.js";
import { type Loss, lost } from "./loss.js";
import { callFromWire, edgeFromWire, type Plan, type PlannedCall, planFromWire } from "./plan.js";
import {
  type CallResult,
  type Content,
  contentFromWire,
  failureFromWire,
  fromWire,
  timingsFromWire,
} from "./result.js";
import type { CallName } from "./turn/calls.js";
import type { Shape } from "./turn/shape.js";
import { type Summary, type TurnResult, turnResult } from "./turn_result.js";
import type * as wire from "./wire/sidecall/v1/sidecall_pb.js";

export class Batch {
  readonly #batchId: string;
  readonly #shape: Shape;
  /** As far as they are known: the model may still be writing. */
  readonly #calls: readonly CallName[];
  #plan: Plan | undefined;
  readonly #planned: (PlannedCall | undefined)[] = [];
  readonly #results: (CallResult | undefined)[] = [];
  readonly #pieces = new Map<string, string | Uint8Array[]>();
  readonly #texts: string[] = [];
  #itemContinues = false;
  #summary: wire.BatchSummary | undefined;

  constructor(batchId: string, shape: Shape, calls: readonly CallName[]) {
    this.#batchId = batchId;
    this.#shape = shape;
    this.#calls = calls;
  }

  /** From here on its calls may have run. */
  get isAccepted(): boolean {
    return this.#plan !== undefined;
  }

  /** Everything has come. */
  get isFinished(): boolean {
    return this.#summary !== undefined;
  }

  /** Takes in an event; what of it is told to others. */
  add({ event }: wire.BatchEvent): BatchEvent | undefined {
    switch (event.case) {
      case "accepted": {
        const plan = planFromWire(event.value.plan);
        this.#plan = plan;
        this.#planned.push(...plan.calls);
        return { type: "accepted", batchId: event.value.batchId, plan };
      }
      case "callPlanned": {
        const { index, call, edges } = event.value;
        if (!call) return undefined;
        const planned = callFromWire(call);
        this.#planned[index] = planned;
        return { type: "planned", index, call: planned, edges: edges.map(edgeFromWire) };
      }
      case "started": {
        const { callId, index, attempt, at, timings } = event.value;
        const told = { callId, index, attempt, atMs: toMs(at), timings: timingsFromWire(timings) };
        return { type: "started", ...told };
      }
      case "progress": {
        const { callId, index, done, total, message } = event.value;
        return { type: "progress", callId, index, done, total, message };
      }
      case "retrying": {
        const { callId, index, attempt, delay, failure } = event.value;
        const told = { callId, index, attempt, delayMs: toMs(delay) };
        return { type: "retrying", ...told, failure: failureFromWire(failure) };
      }
      case "resultPart":
        this.#addPiece(event.value);
        return undefined;
      case "callFinished": {
        if (!event.value.result) return undefined;
        const result = this.#whole(event.value.result);
        this.#results[result.index] = result;
        return { type: "result", result };
      }
      case "bundlePart":
        this.#addItems(event.value);
        return undefined;
      case "batchFinished":
        this.#summary = event.value.summary;
        return undefined;
      default:
        return undefined;
    }
  }

  /** What the turn came to, when everything has come. */
  finish(): TurnResult {
    const summary = this.#summary;
    return turnResult({
      ...this.#known(),
      items: this.#texts.map((text) => JSON.parse(text) as unknown),
      texts: this.#texts,
      results: this.#results.filter((result) => result !== undefined),
      summary: {
        calls: summary?.calls ?? 0,
        succeeded: summary?.succeeded ?? 0,
        failed: summary?.failed ?? 0,
        cancelled: summary?.cancelled ?? 0,
        skipped: summary?.skipped ?? 0,
        durationMs: toMs(summary?.duration),
        sequentialMs: toMs(summary?.sequential),
        criticalPath: summary?.criticalPath ?? [],
      },
      broken: undefined,
    });
  }

  /**
   * What the turn came to, when nothing more comes: results that came are kept,
   * the others are made here.
   */
  salvage(loss: Loss, broken: BrokenError): TurnResult {
    const count = Math.max(this.#calls.length, this.#planned.length, this.#results.length);
    const results: CallResult[] = [];
    const items: unknown[] = [];
    for (let index = 0; index < count; index += 1) {
      const call = this.#calls[index];
      const planned = this.#planned[index];
      const id = planned?.callId ?? call?.id ?? `call_${index + 1}`;
      const tool = planned?.tool ?? call?.tool ?? "";
      const result = this.#results[index] ?? lost({ index, id, tool, planned, loss });
      results.push(result);
      items.push(item(this.#shape, result, call));
    }
    return turnResult({
      ...this.#known(),
      items,
      texts: items.map(toText),
      results,
      summary: counted(results),
      broken,
    });
  }

  #known() {
    return { batchId: this.#batchId, shape: this.#shape, plan: this.#plan };
  }

  #addPiece({ index, contentIndex, piece }: wire.ResultPart): void {
    const key = `${index}/${contentIndex}`;
    const before = this.#pieces.get(key);
    if (piece.case === "text") {
      this.#pieces.set(key, `${typeof before === "string" ? before : ""}${piece.value}`);
    } else if (piece.case === "data") {
      this.#pieces.set(key, [...(Array.isArray(before) ? before : []), piece.value]);
    }
  }

  #whole(result: wire.ToolResult): CallResult {
    if (this.#pieces.size === 0) return fromWire(result);
    const content = result.content.flatMap((block, position): Content[] => {
      const key = `${result.index}/${position}`;
      const pieces = this.#pieces.get(key);
      const empty = contentFromWire(block);
      if (!empty) return [];
      if (!block.inParts || pieces === undefined) return [empty];
      this.#pieces.delete(key);
      if (typeof pieces === "string") return [{ ...empty, text: pieces } as Content];
      return [{ ...empty, data: new Uint8Array(Buffer.concat(pieces)) } as Content];
    });
    return fromWire(result, content);
  }

  #addItems({ items, lastItemContinues }: wire.BundlePart): void {
    const [first, ...rest] = items;
    if (first !== undefined) {
      if (this.#itemContinues) this.#texts.push(`${this.#texts.pop() ?? ""}${first}`);
      else this.#texts.push(first);
      this.#texts.push(...rest);
    }
    this.#itemContinues = lastItemContinues;
  }
}

function counted(results: readonly CallResult[]): Summary {
  const ended = (outcome: string) => results.filter((result) => result.outcome === outcome).length;
  return {
    calls: results.length,
    succeeded: ended("succeeded"),
    failed: ended("failed"),
    cancelled: ended("cancelled"),
    skipped: ended("skipped"),
    durationMs: 0,
    sequentialMs: results.reduce((sum, { timings }) => sum + timings.runningMs, 0),
    criticalPath: [],
  };
}
