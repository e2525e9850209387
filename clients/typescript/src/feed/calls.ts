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

/** Writes the steps of the calls, each as a request. */
export class Calls implements Steps {
  /** In the order in which they began. */
  readonly names: CallName[] = [];
  readonly #write: (request: ExecuteStreamRequest) => void;
  readonly #byKey = new Map<Key, Open>();

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

  isOpen(key: Key): boolean {
    return this.#byKey.get(key)?.isOpen ?? false;
  }

  has(key: Key): boolean {
    return this.#byKey.has(key);
  }

  /** The turn is final: what nobody ended is complete with it. */
  commit(): void {
    for (const key of this.#byKey.keys()) this.end(key);
    this.#step({ case: "commit", value: {} });
  }

  #step(step: { case: string; value: object }): void {
    this.#write(create(ExecuteStreamRequestSchema, { step } as never));
  }
}
