/**
 * Items of a bundle, made here where the server no longer can. Each is valid by
 * the provider's rules, and as plain as they allow.
 */

import type { JsonObject } from "./json.js";
import type { CallResult, Content } from "./result.js";
import type { Items, Shape } from "./turn/shape.js";

/**
 * A result as an item of the bundle.
 *
 * @param block the provider's own block of the call, where it is at hand
 */
export function item(
  shape: Shape,
  result: CallResult,
  block: JsonObject | undefined,
): Items[Shape] {
  switch (shape) {
    case "anthropic":
      return anthropic(result);
    case "openai_chat":
      return { role: "tool", tool_call_id: result.callId, content: text(result) };
    case "openai_responses": {
      const isCustom = block?.["type"] === "custom_tool_call";
      const type = isCustom ? "custom_tool_call_output" : "function_call_output";
      return { type, call_id: result.callId, output: text(result) };
    }
    case "gemini": {
      const id = block?.["id"];
      const response = { [result.isError ? "error" : "output"]: text(result) };
      const named = { name: result.tool, response };
      return { functionResponse: typeof id === "string" ? { id, ...named } : named };
    }
    case "bedrock": {
      const status = result.isError ? "error" : "success";
      const content = [{ text: text(result) }];
      return { toolResult: { toolUseId: result.callId, content, status } };
    }
    case "ai_sdk": {
      const type = result.isError ? "error-text" : "text";
      const output = { type, value: text(result) } as const;
      return { type: "tool-result", toolCallId: result.callId, toolName: result.tool, output };
    }
    case "langchain":
      return {
        type: "tool",
        tool_call_id: result.callId,
        name: result.tool,
        status: result.isError ? "error" : "success",
        content: text(result),
      };
  }
}

function anthropic(result: CallResult): Items["anthropic"] {
  const texts = [failed(result), ...result.content.map(words)].filter(
    (words) => words.trim() !== "",
  );
  return {
    type: "tool_result",
    tool_use_id: result.callId,
    ...(texts.length > 0 && { content: texts.map((text) => ({ type: "text", text })) }),
    ...(result.isError && { is_error: true }),
  };
}

/** What the model reads of a result; never nothing at all. */
function text(result: CallResult): string {
  const texts = [failed(result), ...result.content.map(words)].filter(
    (words) => words.trim() !== "",
  );
  return texts.join("\n") || "[no content]";
}

function failed({ failure }: CallResult): string {
  return failure ? `${failure.code}: ${failure.message}` : "";
}

function words(content: Content): string {
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
