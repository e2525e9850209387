import { describe, expect, test } from "vitest";

import { Calls } from "../src/feed/calls.js";
import { READERS, shapeOfEvent } from "../src/feed/providers.js";
import type { JsonObject } from "../src/json.js";
import type { Shape } from "../src/turn/shape.js";

/** What the wire is told of some events: each call whole, and when it was complete. */
function told(events: JsonObject[]) {
  const calls: { id: string; tool: string; input: string; block: JsonObject; endedAt?: number }[] =
    [];
  let fed = 0;
  const sink = new Calls(({ step }) => {
    if (step.case === "toolUseBegun") {
      const { toolUse, blockJson } = step.value;
      const block = JSON.parse(blockJson) as JsonObject;
      calls.push({
        id: toolUse?.id ?? "",
        tool: toolUse?.name ?? "",
        input: toolUse?.inputJson ?? "",
        block,
      });
    } else if (step.case === "inputFragment") {
      const call = calls[step.value.block];
      if (call) call.input += step.value.json;
    } else if (step.case === "toolUseEnded") {
      const call = calls[step.value.block];
      if (call) call.endedAt = fed;
    }
  });
  let shape: Shape | undefined;
  for (const event of events) {
    fed += 1;
    shape ??= shapeOfEvent(event);
    if (shape) READERS[shape](event, sink);
  }
  fed = Number.POSITIVE_INFINITY;
  sink.commit();
  return { shape, calls };
}

const chunk = (delta: object, finish_reason: string | null = null) => ({
  object: "chat.completion.chunk",
  choices: [{ index: 0, delta, finish_reason }],
});

/** Of each provider: two calls, the first in pieces. */
const EVENTS: Record<Shape, { events: JsonObject[]; endedAt: number[]; ids?: string[] }> = {
  anthropic: {
    events: [
      { type: "message_start", message: { role: "assistant" } },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hm." } },
      { type: "content_block_stop", index: 0 },
      {
        type: "content_block_start",
        index: 1,
        content_block: { type: "tool_use", id: "a", name: "one", input: {} },
      },
      {
        type: "content_block_delta",
        index: 1,
        delta: { type: "input_json_delta", partial_json: "" },
      },
      {
        type: "content_block_delta",
        index: 1,
        delta: { type: "input_json_delta", partial_json: '{"n":1.' },
      },
      {
        type: "content_block_delta",
        index: 1,
        delta: { type: "input_json_delta", partial_json: "50}" },
      },
      { type: "content_block_stop", index: 1 },
      {
        type: "content_block_start",
        index: 2,
        content_block: { type: "server_tool_use", id: "s", name: "web", input: {} },
      },
      {
        type: "content_block_delta",
        index: 2,
        delta: { type: "input_json_delta", partial_json: "{}" },
      },
      { type: "content_block_stop", index: 2 },
      {
        type: "content_block_start",
        index: 3,
        content_block: { type: "tool_use", id: "b", name: "two", input: { m: 2 } },
      },
      { type: "content_block_stop", index: 3 },
      { type: "message_stop" },
    ],
    endedAt: [9, 14],
  },
  openai_chat: {
    events: [
      chunk({ role: "assistant", content: null }),
      chunk({
        tool_calls: [
          { index: 0, id: "a", type: "function", function: { name: "one", arguments: "" } },
        ],
      }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: '{"n":1.' } }] }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: "50}" } }] }),
      chunk({
        tool_calls: [
          { index: 1, id: "b", type: "function", function: { name: "two", arguments: '{"m":2}' } },
        ],
      }),
      chunk({}, "tool_calls"),
    ],
    endedAt: [5, 6],
  },
  openai_responses: {
    events: [
      { type: "response.created", response: {} },
      { type: "response.output_item.added", output_index: 0, item: { type: "reasoning", id: "r" } },
      { type: "response.output_item.done", output_index: 0, item: { type: "reasoning", id: "r" } },
      {
        type: "response.output_item.added",
        output_index: 1,
        item: { type: "function_call", id: "f", call_id: "a", name: "one", arguments: "" },
      },
      { type: "response.function_call_arguments.delta", output_index: 1, delta: '{"n":1.' },
      { type: "response.function_call_arguments.delta", output_index: 1, delta: "50}" },
      { type: "response.function_call_arguments.done", output_index: 1, arguments: '{"n":1.50}' },
      { type: "response.output_item.done", output_index: 1, item: {} },
      {
        type: "response.output_item.added",
        output_index: 2,
        item: { type: "function_call", id: "g", call_id: "b", name: "two", arguments: '{"m":2}' },
      },
      { type: "response.output_item.done", output_index: 2, item: {} },
    ],
    endedAt: [8, 10],
  },
  gemini: {
    events: [
      {
        candidates: [
          {
            content: {
              parts: [
                { text: "Hm." },
                { functionCall: { id: "a", name: "one", args: { n: 1.5 } } },
              ],
            },
          },
        ],
      },
      { candidates: [{ content: { parts: [{ functionCall: { name: "two", args: { m: 2 } } }] } }] },
    ],
    endedAt: [1, 2],
    ids: ["a", ""],
  },
  bedrock: {
    events: [
      { messageStart: { role: "assistant" } },
      {
        contentBlockStart: {
          contentBlockIndex: 0,
          start: { toolUse: { toolUseId: "a", name: "one" } },
        },
      },
      { contentBlockDelta: { contentBlockIndex: 0, delta: { toolUse: { input: '{"n":1.' } } } },
      { contentBlockDelta: { contentBlockIndex: 0, delta: { toolUse: { input: "50}" } } } },
      { contentBlockStop: { contentBlockIndex: 0 } },
      {
        contentBlockStart: {
          contentBlockIndex: 1,
          start: { toolUse: { toolUseId: "b", name: "two" } },
        },
      },
      { contentBlockDelta: { contentBlockIndex: 1, delta: { toolUse: { input: '{"m":2}' } } } },
      { contentBlockStop: { contentBlockIndex: 1 } },
      { messageStop: { stopReason: "tool_use" } },
    ],
    endedAt: [5, 8],
  },
  ai_sdk: {
    events: [
      { type: "start-step" },
      { type: "tool-input-start", id: "a", toolName: "one" },
      { type: "tool-input-delta", id: "a", delta: '{"n":1.' },
      { type: "tool-input-delta", id: "a", delta: "50}" },
      { type: "tool-input-end", id: "a" },
      { type: "tool-call", toolCallId: "a", toolName: "one", input: { n: 1.5 } },
      { type: "tool-call", toolCallId: "b", toolName: "two", input: { m: 2 } },
      { type: "tool-call", toolCallId: "c", toolName: "web", input: {}, providerExecuted: true },
      { type: "finish" },
    ],
    endedAt: [5, 7],
  },
  langchain: {
    events: [
      { tool_call_chunks: [] },
      { tool_call_chunks: [{ index: 0, id: "a", name: "one", args: "" }] },
      { tool_call_chunks: [{ index: 0, args: '{"n":1.' }] },
      { tool_call_chunks: [{ index: 0, args: "50}" }] },
      { tool_call_chunks: [{ index: 1, id: "b", name: "two", args: '{"m":2}' }] },
    ],
    endedAt: [5, Number.POSITIVE_INFINITY],
  },
};

describe.each(Object.entries(EVENTS))("a stream of %s", (shape, { events, endedAt, ids }) => {
  test("is recognised, and its calls come as they are written", () => {
    const seen = told(events);

    expect(seen.shape).toBe(shape);
    expect(seen.calls.map(({ id, tool }) => [id, tool])).toEqual([
      [ids?.[0] ?? "a", "one"],
      [ids?.[1] ?? "b", "two"],
    ]);
    expect(seen.calls.map(({ input }) => JSON.parse(input) as unknown)).toEqual([
      { n: 1.5 },
      { m: 2 },
    ]);
    // In pieces it comes byte for byte.
    if (shape !== "gemini") expect(seen.calls[0]?.input).toBe('{"n":1.50}');
    expect(seen.calls.map((call) => call.endedAt)).toEqual(endedAt);
  });

  test("has blocks without their input", () => {
    for (const { block } of told(events).calls) {
      expect(JSON.stringify(block)).not.toMatch(/"(n|m)":/);
    }
  });
});

test("free text is an object's `input`, however it is cut", () => {
  const words = 'SELECT "a"\n\\ 🙂';
  const cut = words.length - 1;
  const chat = told([
    chunk({
      tool_calls: [{ index: 0, id: "a", type: "custom", custom: { name: "query", input: "" } }],
    }),
    chunk({ tool_calls: [{ index: 0, custom: { input: words.slice(0, cut) } }] }),
    chunk({ tool_calls: [{ index: 0, custom: { input: words.slice(cut) } }] }),
    chunk({}, "tool_calls"),
  ]);
  const responses = told([
    {
      type: "response.output_item.added",
      output_index: 0,
      item: { type: "custom_tool_call", call_id: "a", name: "query", input: "" },
    },
    { type: "response.custom_tool_call_input.delta", output_index: 0, delta: words.slice(0, cut) },
    { type: "response.custom_tool_call_input.delta", output_index: 0, delta: words.slice(cut) },
    { type: "response.output_item.done", output_index: 0 },
  ]);

  for (const { calls } of [chat, responses]) {
    expect(calls.map(({ input }) => JSON.parse(input) as unknown)).toEqual([{ input: words }]);
  }
});

test("an id that the wire does not take is left to the block", () => {
  const { calls } = told([
    { type: "tool-call", toolCallId: "functions.save:0", toolName: "save", input: {} },
  ]);

  expect(calls[0]).toMatchObject({ id: "", block: { toolCallId: "functions.save:0" } });
});

describe("calls of Chat Completions are told apart", () => {
  const piece = (call: object) => chunk({ tool_calls: [call] });
  const whole = (id: string, name: string, json: string, more: object = {}) =>
    piece({ ...more, id, type: "function", function: { name, arguments: json } });
  const TWO = [
    ["a", "one", '{"n":1}'],
    ["b", "two", '{"m":2}'],
  ];
  const END = chunk({}, "tool_calls");

  test.each<[string, JsonObject[]]>([
    [
      "by their ids at one place",
      [whole("a", "one", '{"n":1}', { index: 0 }), whole("b", "two", '{"m":2}', { index: 0 }), END],
    ],
    [
      "at one place in pieces, of which only the first has the id",
      [
        whole("a", "one", "", { index: 0 }),
        piece({ index: 0, function: { arguments: '{"n":1}' } }),
        whole("b", "two", "", { index: 0 }),
        piece({ index: 0, function: { arguments: '{"m":2}' } }),
        END,
      ],
    ],
    [
      "by their ids without a place",
      [
        whole("a", "one", '{"n":'),
        piece({ function: { arguments: "1}" } }),
        whole("b", "two", '{"m":2}'),
        END,
      ],
    ],
    [
      "where each piece repeats the id",
      [
        whole("a", "one", '{"n":', { index: 0 }),
        piece({ index: 0, id: "a", function: { arguments: "1}" } }),
        whole("b", "two", '{"m":2}', { index: 1 }),
        END,
      ],
    ],
    [
      "where later pieces have an empty id",
      [
        whole("a", "one", '{"n":', { index: 0 }),
        piece({ index: 0, id: "", function: { arguments: "1}" } }),
        whole("b", "two", '{"m":2}', { index: 1 }),
        END,
      ],
    ],
  ])("%s", (_, events) => {
    const { calls } = told(events);

    expect(calls.map(({ id, tool, input }) => [id, tool, input])).toEqual(TWO);
  });

  test("by their places, where one has the id of another", () => {
    const { calls } = told([
      whole("a", "one", '{"n":1}', { index: 0 }),
      whole("a", "two", '{"m":2}', { index: 1 }),
      END,
    ]);

    expect(calls.map(({ tool, input }) => [tool, input])).toEqual(TWO.map(([, ...rest]) => rest));
  });
});
