/** The stream events of each provider's SDK. */

import { isObject, type JsonObject, member, toText } from "../json.js";
import type { Shape } from "../turn/shape.js";
import { FREE_TEXT, type Key, list, object, type Reader, text, whole } from "./steps.js";

/** Anthropic Messages: `MessageStreamEvent`s. */
const anthropic: Reader = (event, steps) => {
  const key = event["index"] as number;
  switch (event["type"]) {
    case "content_block_start": {
      const block = object(event["content_block"]);
      if (block["type"] !== "tool_use") return;
      const { input, ...rest } = block;
      const known =
        isObject(input) && Object.keys(input).length > 0 ? { input: toText(input) } : {};
      steps.begin(key, { id: block["id"], name: block["name"], ...known }, rest);
      break;
    }
    case "content_block_delta": {
      const delta = object(event["delta"]);
      if (delta["type"] === "input_json_delta") steps.fragment(key, text(delta["partial_json"]));
      break;
    }
    case "content_block_stop":
      steps.end(key);
      break;
  }
};

/** OpenAI Chat Completions: chunks. A call ends with the next one, or the choice. */
const openaiChat: Reader = (event, steps) => {
  const choice = object(list(event["choices"])[0]);
  for (const each of list(object(choice["delta"])["tool_calls"])) {
    const call = object(each);
    const key = steps.keyAt(call["index"], call["id"]);
    const kind = call["type"] === "custom" || isObject(call["custom"]) ? "custom" : "function";
    const { name, ...written } = object(call[kind]);
    if (!steps.has(key)) {
      steps.endAll();
      const { index: _, ...block } = call;
      const input = kind === "custom" ? { input: FREE_TEXT.opening } : {};
      steps.begin(key, { id: call["id"], name, ...input }, { type: kind, ...block });
    }
    const piece = text(written[kind === "custom" ? "input" : "arguments"]);
    if (piece !== "") steps.fragment(key, kind === "custom" ? FREE_TEXT.piece(piece) : piece);
  }
  if (choice["finish_reason"]) steps.endAll();
};

/** OpenAI Responses: `ResponseStreamEvent`s. */
const openaiResponses: Reader = (event, steps) => {
  const key = event["output_index"] as number;
  switch (event["type"]) {
    case "response.output_item.added": {
      const { arguments: given, input, ...block } = object(event["item"]);
      const call = { id: block["call_id"], name: block["name"] };
      if (block["type"] === "function_call") {
        steps.begin(key, { ...call, input: text(given) }, block);
      } else if (block["type"] === "custom_tool_call") {
        const begun = FREE_TEXT.opening + FREE_TEXT.piece(text(input));
        steps.begin(key, { ...call, input: begun }, block);
      }
      break;
    }
    case "response.function_call_arguments.delta":
      steps.fragment(key, text(event["delta"]));
      break;
    case "response.custom_tool_call_input.delta":
      steps.fragment(key, FREE_TEXT.piece(text(event["delta"])));
      break;
    case "response.output_item.done":
      steps.end(key);
      break;
  }
};

/** Gemini: `GenerateContentResponse`s. A call comes whole. */
const gemini: Reader = (event, steps) => {
  for (const part of list(member(event, "candidates", 0, "content", "parts"))) {
    const call = object(part)["functionCall"];
    if (!isObject(call)) continue;
    const { args = {}, id, name, ...rest } = call;
    // Calls have no id of their own here: each that comes is another.
    const key = Symbol() as unknown as Key;
    const block = { functionCall: { ...(id !== undefined && { id }), name, ...rest } };
    whole(steps, key, { id, name, input: toText(args) }, block);
  }
};

/** Bedrock: the events of ConverseStream. */
const bedrock: Reader = (event, steps) => {
  const start = object(event["contentBlockStart"]);
  const call = member(start, "start", "toolUse");
  if (isObject(call)) {
    const begun = { id: call["toolUseId"], name: call["name"] };
    steps.begin(start["contentBlockIndex"] as number, begun, { toolUse: call });
  }
  const delta = object(event["contentBlockDelta"]);
  const piece = member(delta, "delta", "toolUse", "input");
  if (typeof piece === "string") steps.fragment(delta["contentBlockIndex"] as number, piece);
  const stop = object(event["contentBlockStop"]);
  if ("contentBlockIndex" in stop) steps.end(stop["contentBlockIndex"] as number);
};

/** Vercel AI SDK: the parts of `fullStream`, or of a model's own stream. */
const aiSdk: Reader = (event, steps) => {
  const { id, toolName, providerExecuted } = event;
  switch (event["type"]) {
    case "tool-input-start":
      if (providerExecuted === true) return;
      steps.begin(
        id as string,
        { id, name: toolName },
        { type: "tool-call", toolCallId: id, toolName },
      );
      break;
    case "tool-input-delta":
      steps.fragment(id as string, text(event["delta"] ?? event["inputTextDelta"]));
      break;
    case "tool-input-end":
      steps.end(id as string);
      break;
    case "tool-call": {
      const { input, toolCallId, ...block } = event;
      if (providerExecuted === true) return;
      const json = typeof input === "string" ? input : toText(input);
      const call = { id: toolCallId, name: toolName, input: json };
      whole(steps, toolCallId as string, call, { ...block, toolCallId });
      steps.end(toolCallId as string);
      break;
    }
  }
};

/** LangChain: `AIMessageChunk`s. A call ends with the next one, or the stream. */
const langchain: Reader = (event, steps) => {
  for (const each of list(event["tool_call_chunks"])) {
    const { index, id, name, args } = object(each);
    const key = steps.keyAt(index, id);
    if (!steps.has(key)) {
      steps.endAll();
      steps.begin(key, { id, name }, { type: "tool_call", id, name });
    }
    if (text(args) !== "") steps.fragment(key, text(args));
  }
};

/** The reader of each shape's events. */
export const READERS: Readonly<Record<Shape, Reader>> = {
  anthropic,
  openai_chat: openaiChat,
  openai_responses: openaiResponses,
  gemini,
  bedrock,
  ai_sdk: aiSdk,
  langchain,
};

/** Whose event it is; `undefined` of one that does not tell. */
export function shapeOfEvent(event: JsonObject): Shape | undefined {
  if (event["object"] === "chat.completion.chunk") return "openai_chat";
  if (Array.isArray(event["candidates"])) return "gemini";
  if (Array.isArray(event["tool_call_chunks"])) return "langchain";
  if ("messageStart" in event || "contentBlockStart" in event) return "bedrock";
  const { type } = event;
  if (typeof type !== "string") return undefined;
  if (type.startsWith("response.")) return "openai_responses";
  if (type === "message_start" || type.startsWith("content_block_")) return "anthropic";
  if (AI_SDK_TYPES.has(type)) return "ai_sdk";
  return undefined;
}

const AI_SDK_TYPES: ReadonlySet<string> = new Set([
  "start",
  "start-step",
  "stream-start",
  "response-metadata",
  "text-start",
  "reasoning-start",
  "tool-input-start",
  "tool-call",
]);
