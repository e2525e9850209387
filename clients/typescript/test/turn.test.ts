import { GenerateContentResponse } from "@google/genai";
import { AIMessage } from "@langchain/core/messages";
import { describe, expect, test } from "vitest";

import { item } from "../src/bundle.js";
import { UnknownShapeError } from "../src/errors.js";
import { slice, toText } from "../src/json.js";
import { lost } from "../src/loss.js";
import type { Shape } from "../src/turn/shape.js";
import { recognise } from "../src/turn/turn.js";

const TEXT = { type: "text", text: "Let me look." };

/** Of each shape: forms in which a turn of one call comes, and what of it is sent. */
const FORMS: Record<Shape, { given: unknown; sent: unknown; id: string }[]> = {
  anthropic: (() => {
    const content = [TEXT, { type: "tool_use", id: "a", name: "find", input: { n: 1 } }];
    const message = {
      id: "msg",
      type: "message",
      role: "assistant",
      stop_reason: "tool_use",
      content,
    };
    const param = { role: "assistant", content };
    return [message, param, content].map((given) => ({ given, sent: given, id: "a" }));
  })(),
  openai_chat: (() => {
    const tool_calls = [
      { id: "b", type: "function", function: { name: "find", arguments: '{"n":1}' } },
    ];
    const message = { role: "assistant", content: null, refusal: null, tool_calls };
    const completion = { object: "chat.completion", choices: [{ index: 0, message }] };
    return [
      { given: completion, sent: message, id: "b" },
      { given: message, sent: message, id: "b" },
      { given: tool_calls, sent: tool_calls, id: "b" },
    ];
  })(),
  openai_responses: (() => {
    const call = { type: "function_call", id: "fc", call_id: "c", name: "find", arguments: "{}" };
    const output = [{ type: "reasoning", id: "rs", summary: [] }, call];
    const response = { object: "response", output, output_text: "" };
    return [
      { given: response, sent: output, id: "c" },
      { given: output, sent: output, id: "c" },
    ];
  })(),
  gemini: (() => {
    const parts = [{ text: "Let me look." }, { functionCall: { name: "find", args: { n: 1 } } }];
    const content = { role: "model", parts };
    const response = Object.assign(new GenerateContentResponse(), { candidates: [{ content }] });
    return [
      { given: response, sent: content, id: "call_1" },
      { given: { candidates: [{ content }] }, sent: content, id: "call_1" },
      { given: content, sent: content, id: "call_1" },
      { given: parts, sent: parts, id: "call_1" },
    ];
  })(),
  bedrock: (() => {
    const content = [{ text: "Hm." }, { toolUse: { toolUseId: "d", name: "find", input: {} } }];
    const message = { role: "assistant", content };
    const output = { $metadata: {}, output: { message }, stopReason: "tool_use" };
    return [
      { given: output, sent: message, id: "d" },
      { given: message, sent: message, id: "d" },
      { given: content, sent: content, id: "d" },
    ];
  })(),
  ai_sdk: (() => {
    const call = { type: "tool-call", toolCallId: "e", toolName: "find", input: { n: 1 } };
    const message = { role: "assistant", content: [TEXT, call] };
    const result = { text: "", toolCalls: [call], finishReason: "tool-calls" };
    return [
      { given: message, sent: message, id: "e" },
      { given: message.content, sent: message.content, id: "e" },
      { given: result, sent: [call], id: "e" },
    ];
  })(),
  langchain: (() => {
    const tool_calls = [{ name: "find", args: { n: 1 }, id: "f", type: "tool_call" as const }];
    const message = new AIMessage({ content: "", tool_calls });
    const plain = { type: "ai", content: "", tool_calls, invalid_tool_calls: [] };
    const { kwargs } = JSON.parse(JSON.stringify(message)) as { kwargs: unknown };
    return [
      { given: message, sent: plain, id: "f" },
      { given: JSON.parse(JSON.stringify(message)), sent: kwargs, id: "f" },
      { given: plain, sent: plain, id: "f" },
      { given: tool_calls, sent: tool_calls, id: "f" },
    ];
  })(),
};

describe.each(Object.entries(FORMS))("a turn of %s", (shape, forms) => {
  test.each(forms.map((form, index) => [index, form] as const))(
    "is recognised: form %i",
    (_, form) => {
      const turn = recognise(form.given);

      expect(turn.shape).toBe(shape);
      expect(JSON.parse(turn.json)).toEqual(JSON.parse(JSON.stringify(form.sent)));
      expect(turn.calls.map(({ id, tool }) => [id, tool])).toEqual([[form.id, "find"]]);
    },
  );

  test.each(forms.map((form, index) => [index, form] as const))(
    "is cut out of text: form %i",
    (_, form) => {
      // A space after each colon and a number that no double holds: not written anew.
      const text = JSON.stringify(form.given, null, 1).replace(
        /"n": 1\b/,
        '"n": 123456789012345678901234',
      );
      const { json, shape: found } = recognise(text);

      expect(found).toBe(shape);
      expect(text).toContain(json);
      if (text.includes("12345")) expect(json).toContain("123456789012345678901234");
    },
  );

  test("has an answer for a call that was lost", () => {
    const { calls } = recognise(forms[0]?.given);
    const [call] = calls;
    const id = call?.id ?? "";
    const result = lost({ index: 0, id, tool: "find", planned: undefined, loss: "disconnected" });
    const text = JSON.stringify(item(shape as Shape, result, call));

    expect(text).toContain("outcome_unknown");
    if (shape !== "gemini") expect(text).toContain(`"${id}"`);
    // One that had no id must not be given one.
    else
      expect(JSON.parse(text)).toEqual({
        functionResponse: { name: "find", response: expect.anything() },
      });
  });
});

describe("what is no turn", () => {
  test.each([
    ["nothing", undefined],
    ["a number", 7],
    ["a user's message", { role: "user", content: "hi" }],
    ["an empty object", {}],
    ["a list of words", ["a", "b"]],
    ["text that is no JSON", "find the user"],
    ["JSON of nothing known", '{"a": 1}'],
  ])("is refused: %s", (_, given) => {
    expect(() => recognise(given)).toThrow(UnknownShapeError);
  });

  test("is sent all the same when its shape is named", () => {
    expect(recognise([], "anthropic")).toEqual({ shape: "anthropic", json: "[]", calls: [] });
  });
});

test("calls that the provider runs itself are passed over", () => {
  const server = { type: "server_tool_use", id: "s", name: "web_search", input: {} };
  expect(recognise([server]).calls).toEqual([]);
  const executed = {
    type: "tool-call",
    toolCallId: "e",
    toolName: "web",
    input: {},
    providerExecuted: true,
  };
  expect(recognise([executed]).calls).toEqual([]);
});

describe("JSON text", () => {
  test("is cut where its value stands, whatever surrounds it", () => {
    const text =
      ' { "a" : [ "]}\\"" , { "b\\u0063" : -1.50e+2 } ] , "a\\"": null, "z": {"z": []} } ';
    expect(slice(text, ["a", 1, "bc"])).toBe("-1.50e+2");
    expect(slice(text, ["a", 0])).toBe('"]}\\""');
    expect(slice(text, ['a"'])).toBe("null");
    expect(slice(text, ["z"])).toBe('{"z": []}');
    expect(slice(text, ["a", 2])).toBeUndefined();
    expect(slice(text, ["q"])).toBeUndefined();
    expect(slice(text, ["z", 0])).toBeUndefined();
    expect(slice("[[],[[7]]]", [1, 0, 0])).toBe("7");
  });

  test("of a key that stands twice is the last, as the parser has it", () => {
    expect(slice('{"a":1,"a":2}', ["a"])).toBe("2");
  });

  test("however deep it is", () => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    expect(slice(`{"a":${deep}}`, ["a"])).toBe(deep);
  });

  test("of a bigint is the integer", () => {
    expect(toText({ a: [1n, { b: -(2n ** 80n) }], c: undefined, d: new Date(0), e: () => 1 })).toBe(
      '{"a":[1,{"b":-1208925819614629174706176}],"d":"1970-01-01T00:00:00.000Z"}',
    );
  });

  test("of a circle is refused and does not hang", () => {
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    expect(() => toText(circle)).toThrow(/circular/i);
    expect(() => toText({ n: 1n, circle })).toThrow();
  });
});
