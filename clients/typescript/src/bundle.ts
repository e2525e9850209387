/**
 * Items of a bundle, made here where the server no longer can: as it makes them, but
 * for files, which only Anthropic's items hold and the others name, and for JSON that
 * is blocks of Anthropic's, which stays the text that it is.
 */

import type { JsonObject } from "./json.js";
import type { CallResult, Content } from "./result.js";
import type { CallName } from "./turn/calls.js";
import type { Items, Json, Shape } from "./turn/shape.js";

/** What a model reads of a result that has nothing in it. */
const NOTHING = "[The tool succeeded and returned nothing.]";

/**
 * A result as an item of the bundle.
 *
 * @param call as the provider wrote it, where it is at hand
 */
export function item(shape: Shape, result: CallResult, call: CallName | undefined): Items[Shape] {
  const { block = {} } = call ?? {};
  // The provider's own, which need not be the one that the server uses.
  const id = call?.id ?? result.callId;
  switch (shape) {
    case "anthropic":
      return anthropic(result, id, block);
    case "openai_chat":
      return { role: "tool", tool_call_id: id, content: flagged(result) };
    case "openai_responses": {
      const isCustom = block["type"] === "custom_tool_call";
      const type = isCustom ? "custom_tool_call_output" : "function_call_output";
      return { type, call_id: id, ...echo(block, "caller"), output: flagged(result) };
    }
    case "gemini": {
      const response: { [key: string]: Json } = result.isError
        ? { error: words(result) }
        : { output: value(result) };
      return { functionResponse: { ...echo(block, "id"), name: result.tool, response } };
    }
    case "bedrock": {
      const json = result.isError ? undefined : exact(result);
      const isObject = typeof json === "object" && json !== null && !Array.isArray(json);
      const content = [isObject ? { json } : { text: words(result) || NOTHING }];
      const status = result.isError && ({ status: "error" } as const);
      return { toolResult: { toolUseId: id, content, ...status } };
    }
    case "ai_sdk":
      return {
        type: "tool-result",
        toolCallId: id,
        toolName: result.tool,
        output: aiSdkOutput(result),
      };
    case "langchain":
      return {
        type: "tool",
        content: words(result) || NOTHING,
        tool_call_id: id,
        name: result.tool,
        status: result.isError ? "error" : "success",
        ...(result.failure && {
          artifact: { outcome: result.outcome, code: result.failure.code },
        }),
      };
  }
}

function anthropic(result: CallResult, id: string, block: JsonObject): Items["anthropic"] {
  const text = (words: string): Block => ({ type: "text", text: words });
  const blocks = result.content.flatMap((content): Block[] => {
    const file = result.isError ? undefined : fileOf(content);
    if (file) return [file];
    const words = wordsOf(content);
    return words.trim() === "" ? [] : [text(words)];
  });
  const failure = failed(result).map(text);
  const content = [...failure, ...blocks];
  return {
    type: "tool_result",
    tool_use_id: id,
    ...echo(block, "toolset_name"),
    ...(content.length > 0 && { content }),
    ...(result.isError && { is_error: true }),
  };
}

type Block = NonNullable<Items["anthropic"]["content"]>[number];
type File = Exclude<Block, { type: "text" }>;

/** A file as the API takes it: its bytes decide what it is, not what it was called. */
function fileOf(content: Content): File | undefined {
  if (content.type !== "image" && content.type !== "document") return undefined;
  const bytes = Buffer.from(content.data);
  const begins = (magic: string) => bytes.subarray(0, magic.length).toString("latin1") === magic;
  const data = bytes.toString("base64");
  const image = (media_type: Extract<File, { type: "image" }>["source"]["media_type"]): File => ({
    type: "image",
    source: { type: "base64", media_type, data },
  });
  if (begins("\xff\xd8\xff")) return image("image/jpeg");
  if (begins("\x89PNG\r\n\x1a\n")) return image("image/png");
  if (begins("GIF87a") || begins("GIF89a")) return image("image/gif");
  if (begins("RIFF") && bytes.subarray(8, 12).toString("latin1") === "WEBP")
    return image("image/webp");
  if (!begins("%PDF-")) return undefined;
  return { type: "document", source: { type: "base64", media_type: "application/pdf", data } };
}

function aiSdkOutput(result: CallResult): Items["ai_sdk"]["output"] {
  if (result.isError) return { type: "error-text", value: words(result) };
  const json = exact(result);
  if (json !== undefined) return { type: "json", value: json };
  return { type: "text", value: words(result) || NOTHING };
}

/** What Gemini is given: JSON as it is, where it has one value, else text. */
function value(result: CallResult): Json {
  const json = exact(result);
  return json === undefined ? words(result) : json;
}

/** A result's one JSON value, unless a number in it is more than a double holds. */
function exact({ content }: CallResult): Json | undefined {
  const [first] = content;
  if (content.length !== 1 || first?.type !== "json") return undefined;
  const numbers = first.text.replace(/"(?:[^"\\]|\\.)*"/g, "");
  return /\d{16}|\d\.\d{15}/.test(numbers) ? undefined : (JSON.parse(first.text) as Json);
}

/** For an API that has no other mark of an error. */
function flagged(result: CallResult): string {
  return `${result.isError ? "Error: " : ""}${words(result)}` || NOTHING;
}

/** What the model reads. */
function words(result: CallResult): string {
  const texts = [...failed(result), ...result.content.map(wordsOf)];
  return texts.filter((words) => words.trim() !== "").join("\n");
}

function failed({ failure }: CallResult): string[] {
  return failure ? [`${failure.code}: ${failure.message}`] : [];
}

/** What a model reads of a block. */
export function wordsOf(content: Content): string {
  switch (content.type) {
    case "text":
    case "json":
      return content.text;
    case "link":
      return content.name === "" ? content.uri : `${content.name}: ${content.uri}`;
    default:
      return `[A file (${content.mediaType}) of ${content.data.byteLength} bytes.]`;
  }
}

/** A member of the provider's block that its answer repeats. */
function echo(block: JsonObject, key: string): JsonObject {
  return block[key] === undefined ? {} : { [key]: block[key] };
}
