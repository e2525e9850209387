/**
 * What the model wrote, recognised: whose shape it has, the JSON that is sent,
 * and its calls.
 */

import { UnknownShapeError } from "../errors.js";
import { isObject, type JsonObject, member, slice, toText } from "../json.js";
import { type CallName, calls } from "./calls.js";
import type { Shape } from "./shape.js";

/** A turn, ready to be sent. */
export interface Turn {
  readonly shape: Shape;
  /** The message, or its content, as JSON text. */
  readonly json: string;
  /** In block order. */
  readonly calls: readonly CallName[];
}

/** Where in a response the message is. */
type Path = readonly (string | number)[];

interface Recognised {
  shape: Shape;
  path: Path;
  /** Sent in place of the value: it is no plain JSON. */
  instead?: unknown;
}

/**
 * Recognises a turn.
 *
 * @param given a provider SDK's own object, plain JSON, or JSON text, which is
 *   sent byte for byte
 * @param shape where it is known, and for what no shape can be seen of
 * @throws {UnknownShapeError} when it has no shape that is known
 */
export function recognise(given: unknown, shape?: Shape): Turn {
  const isText = typeof given === "string";
  const value = isText ? parsed(given) : given;
  const found = recognised(value);
  if (!found && !shape) throw new UnknownShapeError(UNKNOWN);
  const { path, instead } = found && (!shape || found.shape === shape) ? found : { path: [] };
  const chosen = shape ?? (found as Recognised).shape;
  const message = instead ?? member(value, ...path);
  const json = isText ? (slice(given, path) as string) : toText(message);
  return { shape: chosen, json, calls: calls(chosen, message) };
}

const UNKNOWN =
  "this is no assistant message of a shape that is known: hand over what the model's SDK returned " +
  "(Anthropic message, OpenAI chat completion or response, @google/genai response, Bedrock Converse output, " +
  "AI SDK result or assistant message, LangChain AIMessage), its content or its calls, or its JSON text; " +
  "where the content has no call and nothing else to be known by, name its `shape`";

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UnknownShapeError(
      `the turn is given as text and is not JSON: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

function recognised(value: unknown): Recognised | undefined {
  if (Array.isArray(value)) {
    const shape = ofBlocks(value);
    return shape && { shape, path: [] };
  }
  if (!isObject(value)) return undefined;
  return response(value) ?? message(value);
}

/** A whole answer of an API, with its message somewhere in it. */
function response(value: JsonObject): Recognised | undefined {
  if (isObject(member(value, "choices", 0, "message"))) {
    return { shape: "openai_chat", path: ["choices", 0, "message"] };
  }
  if (isObject(member(value, "candidates", 0, "content"))) {
    return { shape: "gemini", path: ["candidates", 0, "content"] };
  }
  if (Array.isArray(value["output"]) && value["object"] === "response") {
    return { shape: "openai_responses", path: ["output"] };
  }
  if (isObject(member(value, "output", "message"))) {
    return { shape: "bedrock", path: ["output", "message"] };
  }
  return undefined;
}

function message(value: JsonObject): Recognised | undefined {
  const langchain = ofLangChain(value);
  if (langchain) return langchain;
  const { role, content } = value;
  if (Array.isArray(value["tool_calls"])) return { shape: "openai_chat", path: [] };
  if (Array.isArray(value["parts"])) return { shape: "gemini", path: [] };
  if (value["type"] === "message" && role === "assistant" && "stop_reason" in value) {
    return { shape: "anthropic", path: [] };
  }
  if (role === "assistant" && Array.isArray(content)) {
    const shape = ofBlocks(content);
    return shape && { shape, path: [] };
  }
  // A result of generateText, which has its calls in a getter.
  if (Array.isArray(value["toolCalls"])) {
    return { shape: "ai_sdk", path: ["toolCalls"] };
  }
  // A chat message without calls.
  if (role === "assistant" && "refusal" in value) return { shape: "openai_chat", path: [] };
  return undefined;
}

/** An `AIMessage`: the class, what `JSON.stringify` makes of it, or plain JSON. */
function ofLangChain(value: JsonObject): Recognised | undefined {
  const getType = value["getType"] ?? value["_getType"];
  if (typeof getType === "function") {
    const { id, content, tool_calls, invalid_tool_calls } = value;
    const instead = { type: "ai", id, content, tool_calls, invalid_tool_calls };
    return { shape: "langchain", path: [], instead };
  }
  if (value["lc"] === 1 && isObject(value["kwargs"]))
    return { shape: "langchain", path: ["kwargs"] };
  if (value["type"] === "ai" || value["type"] === "AIMessageChunk") {
    return { shape: "langchain", path: [] };
  }
  const first = member(value, "tool_calls", 0);
  if (isObject(first) && "args" in first) return { shape: "langchain", path: [] };
  return undefined;
}

/** By what stands in a content array, or in a list of calls. */
function ofBlocks(blocks: readonly unknown[]): Shape | undefined {
  let likely: Shape | undefined;
  for (const block of blocks) {
    if (!isObject(block)) continue;
    if ("toolUse" in block) return "bedrock";
    if ("functionCall" in block || "thoughtSignature" in block) return "gemini";
    switch (block["type"]) {
      case "tool_use":
      case "server_tool_use":
      case "mcp_tool_use":
      case "redacted_thinking":
      case "thinking":
        return "anthropic";
      case "tool-call":
      case "tool-result":
        return "ai_sdk";
      case "function_call":
      case "custom_tool_call":
        return "openai_responses";
      case "tool_call":
        return "langchain";
      case "function":
      case "custom":
        return "openai_chat";
      case "reasoning":
        likely ??= "summary" in block ? "openai_responses" : "ai_sdk";
        break;
      case "message":
        likely ??= "openai_responses";
        break;
      case undefined:
        if ("args" in block && "name" in block) return "langchain";
        if (typeof block["text"] === "string") likely ??= "gemini";
        break;
    }
  }
  return likely;
}
