/** A turn that is still being written, as what its calls do. */

import { isObject, type JsonObject } from "../json.js";

/** What is told of the calls, as the model writes them. */
export interface Steps {
  /**
   * A call begins.
   *
   * @param key tells the open calls apart: whatever the provider has for that
   * @param block the provider's block, as it began it
   */
  begin(key: Key, call: Begun, block: JsonObject): void;
  /** More of its input. */
  fragment(key: Key, json: string): void;
  /** Its input is complete. A call that is not open is passed over. */
  end(key: Key): void;
  /** Ends every call that is open. */
  endAll(): void;
  /**
   * Which call a piece is of, where a provider has a place and an id for that, either of
   * which may be missing: several calls may stand at one place, if their ids differ.
   */
  keyAt(place: unknown, id: unknown): Key;
  /** Whether it has begun. */
  has(key: Key): boolean;
}

/** What tells open calls apart. */
export type Key = string | number;

/** What is known of a call when it begins. */
export interface Begun {
  readonly id: unknown;
  readonly name: unknown;
  /** What of its input is there already, as JSON text. */
  readonly input?: string;
}

/** Reads a provider's stream events, one by one. */
export type Reader = (event: JsonObject, steps: Steps) => void;

/** A call that comes whole. */
export function whole(steps: Steps, key: Key, call: Required<Begun>, block: JsonObject): void {
  if (steps.has(key)) return;
  steps.begin(key, call, block);
  steps.end(key);
}

/** A member that is an object; an empty one where it is none. */
export function object(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

/** A member that is an array; an empty one where it is none. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A member that is text; nothing where it is none. */
export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/**
 * What a tool that takes free text is given: an object with the text as its `input`,
 * written as it comes. Of an emoji that is cut in two, each half is escaped.
 */
export const FREE_TEXT = {
  opening: '{"input":"',
  piece: (piece: string) => JSON.stringify(piece).slice(1, -1),
  closing: '"}',
} as const;
