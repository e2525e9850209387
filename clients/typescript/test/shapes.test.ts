/** What the real program makes of each shape, and that this package makes the same of it. */

import { AIMessage, coerceMessageLikeToMessage, type ToolMessage } from "@langchain/core/messages";
import { modelMessageSchema } from "ai";
import { modelMessageSchema as modelMessageSchema7 } from "ai7";
import { expect, test } from "vitest";

import { item } from "../src/bundle.js";
import type { Sidecall } from "../src/index.js";
import type { Shape } from "../src/turn/shape.js";
import { recognise } from "../src/turn/turn.js";
import { inWorld } from "./support/world.js";

let sidecall: Sidecall;

inWorld(
  (world) => {
    ({ sidecall } = world);
  },
  (asked) => {
    const answers: Record<string, () => void> = {
      "/user": () => asked.answer({ name: "mara", tags: ["a", 1.5, null] }),
      "/orders": () => asked.answer("three of them"),
      "/save": () => asked.answer("no such thing", 404),
      "/pay": () => asked.answer(""),
    };
    answers[asked.path]?.();
  },
);

const CALLS: [name: string, input: object][] = [
  ["get_user", { id: 1 }],
  ["list_orders", { user: "mara" }],
  ["save", { value: 1 }],
  ["pay", {}],
  ["nothing", {}],
];

/** The same turn in each shape, with ids as odd as the provider's may be. */
const TURNS: Partial<Record<Shape, unknown>> = {
  anthropic: CALLS.map(([name, input], n) => ({ type: "tool_use", id: `toolu_${n}`, name, input })),
  openai_chat: {
    role: "assistant",
    content: null,
    refusal: null,
    tool_calls: CALLS.map(([name, input], n) => ({
      id: `call/${n} é`,
      type: "function",
      function: { name, arguments: JSON.stringify(input) },
    })),
  },
  openai_responses: CALLS.map(([name, input], n) => ({
    type: "function_call",
    id: `fc_${n}`,
    call_id: `call:${n}`,
    name,
    arguments: JSON.stringify(input),
  })),
  gemini: { role: "model", parts: CALLS.map(([name, args]) => ({ functionCall: { name, args } })) },
  bedrock: {
    role: "assistant",
    content: CALLS.map(([name, input], n) => ({
      toolUse: { toolUseId: `tooluse_${n}`, name, input },
    })),
  },
  ai_sdk: {
    role: "assistant",
    content: CALLS.map(([toolName, input], n) => ({
      type: "tool-call",
      toolCallId: `call.${n}`,
      toolName,
      input,
    })),
  },
  langchain: new AIMessage({
    content: "",
    tool_calls: CALLS.map(([name, args], n) => ({ name, args, id: `lc ${n}`, type: "tool_call" })),
  }),
};

test.each(Object.entries(TURNS))(
  "%s is answered in its own shape, and made here alike",
  async (shape, given) => {
    const turn = await sidecall.execute(given);
    const { calls } = recognise(given);

    expect(turn.shape).toBe(shape);
    expect(turn.results.map(({ failure }) => failure?.code)).toEqual([
      undefined,
      undefined,
      "tool_error",
      undefined,
      "unknown_tool",
    ]);
    expect(turn.content).toEqual(
      turn.results.map((result, index) => item(turn.shape, result, calls[index])),
    );
  },
);

test("the AI SDKs take the message", async () => {
  const { messages } = await sidecall.execute(TURNS.ai_sdk, { shape: "ai_sdk" });

  for (const message of messages) {
    expect(modelMessageSchema.safeParse(message).success).toBe(true);
    expect(modelMessageSchema7.safeParse(message).success).toBe(true);
  }
  expect(messages).toHaveLength(1);
});

test("LangChain takes the messages", async () => {
  const { messages } = await sidecall.execute(TURNS.langchain, { shape: "langchain" });
  const taken = messages.map((message) => coerceMessageLikeToMessage(message) as ToolMessage);

  expect(taken.map((message) => [message.tool_call_id, message.status])).toEqual([
    ["lc 0", "success"],
    ["lc 1", "success"],
    ["lc 2", "error"],
    ["lc 3", "success"],
    ["lc 4", "error"],
  ]);
});
