/** What goes in and comes out is of the SDKs' own types: judged by the compiler. */

import type Anthropic from "@anthropic-ai/sdk";
import type { Content, GenerateContentResponse } from "@google/genai";
import type { AIMessage, MessageFieldWithRole } from "@langchain/core/messages";
import type { AssistantModelMessage, ModelMessage } from "ai";
import type { ModelMessage as ModelMessage7 } from "ai7";
import type OpenAI from "openai";
import { expectTypeOf, test } from "vitest";

import type { Messages, Shape, ShapeOf, TurnResult } from "../src/index.js";

test("the shape of an SDK's answer is seen by its type", () => {
  expectTypeOf<ShapeOf<Anthropic.Message>>().toEqualTypeOf<"anthropic">();
  expectTypeOf<ShapeOf<OpenAI.ChatCompletion>>().toEqualTypeOf<"openai_chat">();
  expectTypeOf<ShapeOf<OpenAI.ChatCompletionMessage>>().toEqualTypeOf<"openai_chat">();
  expectTypeOf<ShapeOf<OpenAI.Responses.Response>>().toEqualTypeOf<"openai_responses">();
  expectTypeOf<ShapeOf<GenerateContentResponse>>().toEqualTypeOf<"gemini">();
  expectTypeOf<ShapeOf<AIMessage>>().toEqualTypeOf<"langchain">();
  expectTypeOf<ShapeOf<Anthropic.ContentBlock[]>>().toEqualTypeOf<"anthropic">();
  expectTypeOf<
    ShapeOf<Anthropic.MessageParam & { role: "assistant" }>
  >().toEqualTypeOf<"anthropic">();
  expectTypeOf<
    ShapeOf<OpenAI.Responses.ResponseOutputItem[]>
  >().toEqualTypeOf<"openai_responses">();
  expectTypeOf<ShapeOf<AssistantModelMessage>>().toEqualTypeOf<"ai_sdk">();
  expectTypeOf<ShapeOf<{ type: string }[]>>().toEqualTypeOf<Shape>();
  expectTypeOf<ShapeOf<unknown>>().toEqualTypeOf<Shape>();
  expectTypeOf<ShapeOf<string>>().toEqualTypeOf<Shape>();
});

test("the messages can be appended to an SDK's own", () => {
  expectTypeOf<Messages["anthropic"]>().toExtend<Anthropic.MessageParam>();
  expectTypeOf<Messages["openai_chat"]>().toExtend<OpenAI.ChatCompletionMessageParam>();
  expectTypeOf<Messages["openai_responses"]>().toExtend<OpenAI.Responses.ResponseInputItem>();
  expectTypeOf<Messages["gemini"]>().toExtend<Content>();
  expectTypeOf<Messages["ai_sdk"]>().toExtend<ModelMessage>();
  expectTypeOf<Messages["ai_sdk"]>().toExtend<ModelMessage7>();
  expectTypeOf<Messages["langchain"]>().toExtend<MessageFieldWithRole>();
  expectTypeOf<TurnResult<"anthropic">["content"]>().toExtend<Anthropic.ToolResultBlockParam[]>();
});
