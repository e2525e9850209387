/**
 * The shapes of providers, as types: which items a turn of each is answered
 * with. Nothing of a provider's SDK is imported, here or at run time; the types
 * are those parts of the SDKs' own that go in and out.
 */

/** Whose shape a turn has, and its results. */
export type Shape =
  | "anthropic"
  | "openai_chat"
  | "openai_responses"
  | "gemini"
  | "bedrock"
  | "ai_sdk"
  | "langchain";

/** Any JSON value. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/**
 * Anthropic Messages: a block of the next user message. A tool that answers in the API's
 * own blocks (`search_result`, `tool_reference`, …) has those in `content`, beside these.
 */
export interface AnthropicToolResult {
  type: "tool_result";
  tool_use_id: string;
  content?: (
    | { type: "text"; text: string }
    | {
        type: "image";
        source: {
          type: "base64";
          media_type: "image/jpeg" | "image/png" | "image/gif" | "image/webp";
          data: string;
        };
      }
    | {
        type: "document";
        source: { type: "base64"; media_type: "application/pdf"; data: string };
      }
  )[];
  is_error?: boolean;
}

/** OpenAI Chat Completions: a message of its own. */
export interface OpenAIToolMessage {
  role: "tool";
  tool_call_id: string;
  content: string;
}

/** OpenAI Responses: an item of the next request's `input`. */
export interface OpenAIOutputItem {
  type: "function_call_output" | "custom_tool_call_output";
  call_id: string;
  output:
    | string
    | (
        | { type: "input_text"; text: string }
        | { type: "input_image"; detail: "auto"; image_url: string }
        | { type: "input_file"; filename: string; file_data: string }
      )[];
}

/** Gemini: a part of the next content. */
export interface GeminiResponsePart {
  functionResponse: {
    id?: string;
    name: string;
    response: { [key: string]: Json };
    parts?: { inlineData: { mimeType: string; data: string } }[];
  };
}

/** Bedrock Converse: a block of the next user message. */
export interface BedrockToolResult {
  toolResult: {
    toolUseId: string;
    content: ({ text: string } | { json: Json })[];
    status?: "success" | "error";
  };
}

/** Vercel AI SDK: a part of the next tool message. */
export interface AiSdkToolResult {
  type: "tool-result";
  toolCallId: string;
  toolName: string;
  output:
    | { type: "text"; value: string }
    | { type: "json"; value: Json }
    | { type: "error-text"; value: string }
    | { type: "error-json"; value: Json }
    | {
        type: "content";
        value: (
          | { type: "text"; text: string }
          | { type: "image-data"; data: string; mediaType: string }
          | { type: "file-data"; data: string; mediaType: string; filename?: string }
        )[];
      };
}

/** LangChain: a `ToolMessage` as plain JSON. */
export interface LangChainToolMessage {
  type: "tool";
  tool_call_id: string;
  name: string;
  status: "success" | "error";
  content: LangChainContent;
  artifact?: { outcome: string; code: string };
}

type LangChainContent =
  | string
  | (
      | { type: "text"; text: string }
      | { type: "image" | "file"; source_type: "base64"; mime_type: string; data: string }
    )[];

/** What the items of each shape are. */
export interface Items {
  anthropic: AnthropicToolResult;
  openai_chat: OpenAIToolMessage;
  openai_responses: OpenAIOutputItem;
  gemini: GeminiResponsePart;
  bedrock: BedrockToolResult;
  ai_sdk: AiSdkToolResult;
  langchain: LangChainToolMessage;
}

/** What is appended to the conversation, in each shape. */
export interface Messages {
  anthropic: { role: "user"; content: AnthropicToolResult[] };
  openai_chat: OpenAIToolMessage;
  openai_responses: OpenAIOutputItem;
  gemini: { role: "user"; parts: GeminiResponsePart[] };
  bedrock: { role: "user"; content: BedrockToolResult[] };
  ai_sdk: { role: "tool"; content: AiSdkToolResult[] };
  /** As `BaseMessageLike` has it: models and LangGraph's reducers take it as it is. */
  langchain: {
    role: "tool";
    tool_call_id: string;
    name: string;
    status: "success" | "error";
    content: LangChainContent;
    artifact?: { outcome: string; code: string };
  };
}

/**
 * Whose shape a value has, as far as its type tells. A `string` and `unknown`
 * tell nothing: name the shape (`{shape: "anthropic"}`), or narrow by
 * `turn.shape`.
 */
export type ShapeOf<T> = T extends { readonly choices: readonly unknown[] }
  ? "openai_chat"
  : T extends { readonly object: "response" }
    ? "openai_responses"
    : T extends { readonly type: "message"; readonly stop_reason: unknown }
      ? "anthropic"
      : T extends { readonly role: "assistant"; readonly refusal: unknown }
        ? "openai_chat"
        : T extends { readonly $metadata: unknown }
          ? "bedrock"
          : T extends { readonly lc_kwargs: unknown }
            ? "langchain"
            : T extends { readonly toolCalls: readonly unknown[] }
              ? "ai_sdk"
              : "candidates" extends keyof T
                ? "gemini"
                : T extends readonly unknown[]
                  ? ShapeOfBlocks<T>
                  : T extends { readonly role: "assistant"; readonly content: infer Content }
                    ? ShapeOfBlocks<Extract<Content, readonly unknown[]>>
                    : Shape;

/** By the kind of block that is a call. */
type ShapeOfBlocks<Blocks extends readonly unknown[]> =
  HasBlock<Blocks, "tool_use"> extends true
    ? "anthropic"
    : HasBlock<Blocks, "function_call"> extends true
      ? "openai_responses"
      : HasBlock<Blocks, "tool-call"> extends true
        ? "ai_sdk"
        : Shape;

type HasBlock<Blocks extends readonly unknown[], Type extends string> = [
  Extract<Blocks[number], { readonly type: Type }>,
] extends [never]
  ? false
  : true;
