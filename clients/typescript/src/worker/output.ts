/** What a function returned, as a result's content. */

import { create } from "@bufbuild/protobuf";

import { toText } from "../json.js";
import { type Content, ContentSchema } from "../wire/sidecall/v1/sidecall_pb.js";

/**
 * What a function may return: text, anything that is JSON (`bigint`s too), bytes,
 * or several parts by {@link content}.
 */
export type ToolOutput = unknown;

/** A part of a result that has several. */
export type Part =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "json"; readonly value: unknown }
  | { readonly type: "image"; readonly mediaType: string; readonly data: Uint8Array }
  | { readonly type: "document"; readonly mediaType: string; readonly data: Uint8Array }
  | { readonly type: "link"; readonly uri: string; readonly name?: string };

class Several {
  readonly parts: readonly Part[];

  constructor(parts: readonly Part[]) {
    this.parts = parts;
  }
}

/** A result of several parts, or of an image: `return content({type: "image", …})`. */
export function content(...parts: readonly Part[]): ToolOutput {
  return new Several(parts);
}

/** What a function returned, as the wire has it. */
export function contentOf(output: ToolOutput): Content[] {
  if (output === undefined) return [];
  if (typeof output === "string") return [textOf(output)];
  if (output instanceof Several) return output.parts.map(partOf);
  if (output instanceof Uint8Array) {
    return [partOf({ type: "document", mediaType: "application/octet-stream", data: output })];
  }
  return [partOf({ type: "json", value: output })];
}

/** Text as content. */
export function textOf(words: string): Content {
  return partOf({ type: "text", text: words });
}

function partOf(part: Part): Content {
  switch (part.type) {
    case "text":
      return made({ case: "text", value: part.text });
    case "json":
      return made({ case: "json", value: toText(part.value) });
    case "link":
      return made({ case: "link", value: { uri: part.uri, name: part.name ?? "" } });
    default: {
      const { mediaType, data } = part;
      return made({ case: part.type, value: { mediaType, data } });
    }
  }
}

function made(block: { case: string; value: unknown }): Content {
  return create(ContentSchema, { block } as never);
}
