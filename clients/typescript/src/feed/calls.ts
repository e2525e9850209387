/** The steps of a turn as requests of the wire, and its calls as they are known. */

import { create } from "@bufbuild/protobuf";

import { type JsonObject, toText } from "../json.js";
import type { CallName } from "../turn/calls.js";
import {
  type ExecuteStreamRequest,
  ExecuteStreamRequestSchema,
} from "../wire/sidecall/v1/sidecall_pb.js";
import { type Begun, FREE_TEXT, type Key, type Steps } from "./steps.js";

/** An id as the wire takes it. */
const WIRE_ID = /^[A-Za-z0-9_-]{1,128}$/;

interface Open {
  readonly place: number;
  readonly isFreeText: boolean;
  isOpen: boolean;
}

interface Placed {
  readonly id: string;
  readonly key: Key;
}

/** Writes the steps of the calls, each as a request. */
export class Calls implements Steps {
  /** In the order in which they began. */
  readonly names: CallName[] = [];
  readonly #write: (request: ExecuteStreamRequest) => void;
  readonly #byKey = new Map<Key, Open>();
  /** At each place the call that was written there last, and the last of all. */
  readonly #latest = new Map<number, Placed>();
  #last: Placed | undefined;

  constructor(write: (request: ExecuteStreamRequest) => void) {
    this.#write = write;
  }

  begin(key: Key, { id, name, input = "" }: Begun, block: JsonObject): void {
    if (this.#byKey.has(key)) return;
    const place = this.names.length;
    const isFreeText = input.startsWith(FREE_TEXT.opening);
    this.#byKey.set(key, { place, isFreeText, isOpen: true });
    const tool = typeof name === "string" ? name : "";
    const given = typeof id === "string" ? id : "";
    this.names.push({ id: given || `call_${place + 1}`, tool, block });
    // One that the wire does not take is repeated from the block.
    const toolUse = { id: WIRE_ID.test(given) ? given : "", name: tool, inputJson: input };
    this.#step({
      case: "toolUseBegun",
      value: { block: place, toolUse, blockJson: toText(block) },
    });
  }

  fragment(key: Key, json: string): void {
    const open = this.#byKey.get(key);
    if (!open?.isOpen || json === "") return;
    this.#step({ case: "inputFragment", value: { block: open.place, json } });
  }

  end(key: Key): void {
    const open = this.#byKey.get(key);
    if (!open?.isOpen) return;
    if (open.isFreeText) this.fragment(key, FREE_TEXT.closing);
    open.isOpen = false;
    this.#step({ case: "toolUseEnded", value: { block: open.place } });
  }

  endAll(): void {
    for (const key of this.#byKey.keys()) this.end(key);
  }

  keyAt(place: unknown, id: unknown): Key {
    const given = typeof id === "string" ? id : "";
    const isPlaced = typeof place === "number";
    const latest = isPlaced ? this.#latest.get(place) : this.#last;
    let at = latest;
    if (!latest || (given !== "" && given !== latest.id)) {
      at = { id: given, key: `${isPlaced ? place : ""}/${given}` };
      // An id that comes after its call began is that call's.
      if (isPlaced && latest?.id === "") at = { id: given, key: latest.key };
    }
    this.#last = at as Placed;
    if (isPlaced) this.#latest.set(place, this.#last);
    return this.#last.key;
  }

  has(key: Key): boolean {
    return this.#byKey.has(key);
  }

  /** The turn is final: what nobody ended is complete with it. */
  commit(): void {
    this.endAll();
    this.#step({ case: "commit", value: {} });
  }

  #step(step: { case: string; value: object }): void {
    this.#write(create(ExecuteStreamRequestSchema, { step } as never));
  }
}
