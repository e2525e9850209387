/**
 * The calls of a turn, as the server counts them: what is needed to answer each
 * when the server no longer can.
 */

import { isObject, type JsonObject, member } from "../json.js";
import type { Shape } from "./shape.js";

/** One call of a turn. */
export interface CallName {
  /** As the provider gave it; `call_N` where it gave none. */
  readonly id: string;
  readonly tool: string;
  /** The provider's block, for what an answer repeats of it. */
  readonly block: JsonObject;
}

/** The calls of a turn, in block order. */
export function calls(shape: Shape, message: unknown): CallName[] {
  const found: CallName[] = [];
  const add = (block: JsonObject, id: unknown, tool: unknown) => {
    const position = found.length + 1;
    found.push({
      id: typeof id === "string" && id !== "" ? id : `call_${position}`,
      tool: typeof tool === "string" ? tool : "",
      block,
    });
  };
  for (const block of blocks(shape, message)) {
    if (isObject(block)) READERS[shape](block, add);
  }
  return found;
}

type Add = (block: JsonObject, id: unknown, tool: unknown) => void;

const READERS: Readonly<Record<Shape, (block: JsonObject, add: Add) => void>> = {
  anthropic: (block, add) => {
    if (block["type"] === "tool_use") add(block, block["id"], block["name"]);
  },
  openai_chat: (block, add) => {
    add(block, block["id"], member(block, "function", "name") ?? member(block, "custom", "name"));
  },
  openai_responses: (block, add) => {
    if (block["type"] === "function_call" || block["type"] === "custom_tool_call") {
      add(block, block["call_id"], block["name"]);
    }
  },
  gemini: (block, add) => {
    const call = block["functionCall"];
    if (isObject(call)) add(call, call["id"], call["name"]);
  },
  bedrock: (block, add) => {
    const call = block["toolUse"];
    if (isObject(call)) add(call, call["toolUseId"], call["name"]);
  },
  ai_sdk: (block, add) => {
    // One that the provider runs itself is answered by the provider.
    if (block["type"] === "tool-call" && block["providerExecuted"] !== true) {
      add(block, block["toolCallId"], block["toolName"]);
    }
  },
  langchain: (block, add) => add(block, block["id"], block["name"]),
};

/** Where the blocks are, in a message or in what stands for one. */
function blocks(shape: Shape, message: unknown): readonly unknown[] {
  if (Array.isArray(message)) return message;
  if (!isObject(message)) return [];
  switch (shape) {
    case "openai_chat":
      return list(message["tool_calls"]);
    case "langchain":
      return [...list(message["tool_calls"]), ...list(message["invalid_tool_calls"])];
    case "openai_responses":
      return list(message["output"]);
    case "gemini":
      return list(message["parts"]);
    default:
      return list(message["content"]);
  }
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
