/** What a function returned, as a result's content. */

import { create } from "@bufbuild/protobuf";

import { exactText } from "../json.js";
import { type Content, ContentSchema } from "../wire/sidecall/v1/sidecall_pb.js";

/**
 * What a function may return: text, anything that is JSON (`bigint`s too), nothing
 * (which is `null`), bytes, or several parts by {@link content}.
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

/**
 * What a function returned, as the wire has it.
 *
 * @throws {TypeError} it returned what no result can hold
 */
export function contentOf(output: ToolOutput): Content[] {
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
      return made({ case: "text", value: words(part.text, "the `text` of a text") });
    case "json":
      return made({ case: "json", value: exactText(part.value) });
    case "link": {
      const uri = words(part.uri, "the `uri` of a link");
      return made({ case: "link", value: { uri, name: words(part.name ?? "", "its `name`") } });
    }
    case "image":
    case "document": {
      const mediaType = words(part.mediaType, `the \`mediaType\` of this ${part.type}`);
      const { data } = part;
      if (!(data instanceof Uint8Array)) {
        throw new TypeError(
          `the \`data\` of this ${part.type} is no Uint8Array: give its bytes, as in Buffer.from(text, "base64")`,
        );
      }
      return made({ case: part.type, value: { mediaType, data } });
    }
    default:
      throw new TypeError(
        "a part of the content has no `type` that is known: text, json, image, document or link",
      );
  }
}

function words(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw new TypeError(`${what} is missing or no text`);
}

function made(block: { case: string; value: unknown }): Content {
  return create(ContentSchema, { block } as never);
}
