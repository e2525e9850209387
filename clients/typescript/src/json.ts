/**
 * JSON as text: what the model wrote is cut out, never written anew.
 */

/** An object of parsed JSON, of which nothing is known yet. */
export type JsonObject = { readonly [key: string]: unknown };

/** Whether a value is an object with members: no array, not `null`. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A member of a value, `undefined` where there is none. */
export function member(value: unknown, ...path: readonly (string | number)[]): unknown {
  let found = value;
  for (const step of path) {
    if (typeof found !== "object" || found === null) return undefined;
    found = (found as Record<string | number, unknown>)[step];
  }
  return found;
}

/**
 * A value as JSON text. A `bigint` is written as the integer that it is, so an
 * id that is too large for a double arrives whole.
 */
export function toText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "null";
  } catch (error) {
    // The only other reason is a circle, and `written` would not end there.
    if (error instanceof TypeError && /BigInt/i.test(error.message))
      return written(value) ?? "null";
    throw error;
  }
}

/**
 * A value as JSON text, as {@link toText} has it, of what JSON can hold: what it would
 * lose without a word is refused. Nothing is `null`.
 *
 * @throws {TypeError} the value, or one within it, is no JSON
 */
export function exactText(value: unknown): string {
  let hasBigint = false;
  const text = JSON.stringify(value, (key, item: unknown) => {
    if (typeof item === "bigint") {
      hasBigint = true;
      return 0;
    }
    const kind = lossy(item);
    if (kind === undefined) return item;
    const where = key === "" ? "" : ` at ${JSON.stringify(key)}`;
    throw new TypeError(`${kind}${where} is no JSON: return text, an object, an array or a number`);
  });
  return hasBigint ? toText(value) : (text ?? "null");
}

/** What a value is that JSON does not hold. */
function lossy(value: unknown): string | undefined {
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`;
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  const isLost = LOST.some((kind) => value instanceof kind) || ArrayBuffer.isView(value);
  return isLost ? `a ${(value as object).constructor.name}` : undefined;
}

/** Of these `JSON.stringify` makes an object with nothing in it. */
const LOST = [Map, Set, WeakMap, WeakSet, Promise, RegExp, ArrayBuffer] as const;

function written(value: unknown): string | undefined {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const toJSON = (value as { toJSON?: unknown }).toJSON;
  if (typeof toJSON === "function") return written(toJSON.call(value));
  if (Array.isArray(value)) return `[${value.map((item) => written(item) ?? "null").join(",")}]`;
  const members: string[] = [];
  for (const [key, item] of Object.entries(value)) {
    const text = written(item);
    if (text !== undefined) members.push(`${JSON.stringify(key)}:${text}`);
  }
  return `{${members.join(",")}}`;
}

/**
 * The source text of the value at `path` in `text`, which must be valid JSON.
 * `undefined` where there is none. Of a key that stands twice the last one
 * counts, as `JSON.parse` has it.
 */
export function slice(text: string, path: readonly (string | number)[]): string | undefined {
  let at = skipSpace(text, 0);
  for (const step of path) {
    const next = typeof step === "string" ? ofKey(text, at, step) : ofIndex(text, at, step);
    if (next === undefined) return undefined;
    at = next;
  }
  return text.slice(at, skipValue(text, at));
}

function ofKey(text: string, start: number, key: string): number | undefined {
  if (text[start] !== "{") return undefined;
  let found: number | undefined;
  let at = skipSpace(text, start + 1);
  while (text[at] === '"') {
    const end = skipString(text, at);
    const value = skipSpace(text, skipSpace(text, end) + 1);
    if (JSON.parse(text.slice(at, end)) === key) found = value;
    at = skipSpace(text, skipValue(text, value));
    if (text[at] === ",") at = skipSpace(text, at + 1);
  }
  return found;
}

function ofIndex(text: string, start: number, index: number): number | undefined {
  if (text[start] !== "[") return undefined;
  let at = skipSpace(text, start + 1);
  for (let count = 0; at < text.length && text[at] !== "]"; count += 1) {
    if (count === index) return at;
    at = skipSpace(text, skipValue(text, at));
    if (text[at] === ",") at = skipSpace(text, at + 1);
  }
  return undefined;
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (at < text.length && " \n\r\t".includes(text[at] as string)) at += 1;
  return at;
}

function skipString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

/** Past a value, however deep it is: without recursion. */
function skipValue(text: string, start: number): number {
  let depth = 0;
  let at = start;
  while (at < text.length) {
    const char = text[at] as string;
    if (char === '"') {
      at = skipString(text, at);
    } else if (char === "{" || char === "[") {
      depth += 1;
      at += 1;
      continue;
    } else if (char === "}" || char === "]") {
      depth -= 1;
      at += 1;
    } else if (depth > 0) {
      at += 1;
      continue;
    } else {
      while (at < text.length && !",]} \n\r\t".includes(text[at] as string)) at += 1;
    }
    if (depth <= 0) return at;
  }
  return at;
}
