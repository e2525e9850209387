import type { LanguageModelV3StreamPart, LanguageModelV3ToolCall } from "@ai-sdk/provider";
import * as ai6 from "ai";
import { MockLanguageModelV3, simulateReadableStream } from "ai/test";
import * as ai7 from "ai7";
import { describe, expect, test } from "vitest";

import { sidecallTools } from "../src/ai.js";
import { content, type Sidecall, type TurnResult } from "../src/index.js";
import type { Upstream } from "./support/sidecar.js";
import { inWorld, withoutSaving } from "./support/world.js";

let upstream: Upstream;
let sidecall: Sidecall;

inWorld((world) => {
  ({ upstream, sidecall } = world);
}, withoutSaving);

const USAGE = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
};
const CALLS = [
  { type: "tool-call", toolCallId: "a", toolName: "get_user", input: '{"id":1}' },
  {
    type: "tool-call",
    toolCallId: "b",
    toolName: "list_orders",
    input: '{"user":"${get_user.name}"}',
  },
  { type: "tool-call", toolCallId: "c", toolName: "save", input: '{"value":1.50}' },
] as const;

/** A model that calls three tools, and then says what it was told. */
function model(
  chunkDelayInMs: number | null = null,
  first: readonly LanguageModelV3ToolCall[] = CALLS,
) {
  const prompts: unknown[] = [];
  const isFirst = (options: { prompt: unknown }) => prompts.push(options.prompt) === 1;
  const calls = { unified: "tool-calls", raw: undefined } as const;
  const stop = { unified: "stop", raw: undefined } as const;
  return {
    prompts,
    model: new MockLanguageModelV3({
      doGenerate: async (options) => ({
        warnings: [],
        usage: USAGE,
        ...(isFirst(options)
          ? { content: [...first], finishReason: calls }
          : { content: [{ type: "text", text: "Done." }], finishReason: stop }),
      }),
      doStream: async (options) => ({
        stream: simulateReadableStream<LanguageModelV3StreamPart>({
          initialDelayInMs: null,
          chunkDelayInMs,
          chunks: isFirst(options)
            ? [...first, { type: "finish", finishReason: calls, usage: USAGE }]
            : [
                { type: "text-start", id: "1" },
                { type: "text-delta", id: "1", delta: "Done." },
                { type: "text-end", id: "1" },
                { type: "finish", finishReason: stop, usage: USAGE },
              ],
        }),
      }),
    }),
  };
}

/** What the model was told of its calls. */
function told(prompts: unknown[]) {
  const prompt = prompts[1] as {
    role: string;
    content: { output: { type: string; value: unknown } }[];
  }[];
  return prompt
    .filter(({ role }) => role === "tool")
    .flatMap(({ content }) => content)
    .map(({ output }) => output);
}

describe.each([
  ["ai 6", ai6],
  ["ai 7", ai7 as unknown as typeof ai6],
])("with %s", (version, ai) => {
  test.each(["generateText", "streamText"] as const)(
    "%s makes one turn of a step's calls",
    async (name) => {
      const turns: TurnResult[] = [];
      const { tools, instructions } = await sidecallTools(sidecall, {
        references: true,
        onTurn: (turn) => turns.push(turn),
      });
      const { model: mock, prompts } = model();
      const options = {
        model: mock,
        tools,
        instructions,
        prompt: "Find mara's orders.",
        stopWhen: ai.stepCountIs(3),
      };
      const text =
        name === "generateText"
          ? (await ai.generateText(options)).text
          : await ai.streamText(options).text;

      expect(text).toBe("Done.");
      expect(turns.map(({ summary }) => [summary.calls, summary.succeeded])).toEqual([[3, 2]]);
      expect(turns[0]?.plan?.edges).toMatchObject([{ from: 0, to: 1, kind: "reference" }]);
      expect(told(prompts)).toEqual([
        { type: "json", value: { name: "mara" } },
        { type: "json", value: { name: "mara" } },
        { type: "error-text", value: expect.stringContaining("tool_error: ") },
      ]);
    },
  );

  test("streamText with the middleware makes one turn of calls that come apart, byte for byte", async () => {
    const turns: TurnResult[] = [];
    const { tools, middleware } = await sidecallTools(sidecall, {
      references: true,
      onTurn: (turn) => turns.push(turn),
    });
    const { model: mock, prompts } = model(5);
    const text = await ai.streamText({
      model: ai.wrapLanguageModel({ model: mock, middleware }),
      tools,
      prompt: "Find mara's orders.",
      stopWhen: ai.stepCountIs(3),
    }).text;

    expect(text).toBe("Done.");
    expect(turns.map(({ summary }) => [summary.calls, summary.succeeded])).toEqual([[3, 2]]);
    expect(told(prompts).map(({ type }) => type)).toEqual(["json", "json", "error-text"]);
    expect(upstream.asked.find(({ path }) => path === "/save")?.body).toBe('{"value":1.50}');
  });

  test("a stream that is cut runs nothing that changes anything", async () => {
    const { tools, middleware } = await sidecallTools(sidecall);
    const cut = new MockLanguageModelV3({
      doStream: async () => ({ stream: simulateReadableStream({ chunks: [CALLS[2]] }) }),
    });
    const result = ai.streamText({
      model: ai.wrapLanguageModel({ model: cut, middleware }),
      tools,
      prompt: "Go.",
      onError: () => undefined,
    });
    await result.consumeStream({ onError: () => undefined });

    expect(upstream.asked).toEqual([]);
  });

  test("an image is seen by the model", async () => {
    const png = Buffer.from("89504e470d0a1a0a00000000", "hex");
    const worker = sidecall.worker({ sessionId: `image-${version.replace(" ", "")}` });
    const input = { type: "object" } as const;
    worker.tool("draw", { description: "Draws.", input }, () =>
      content(
        { type: "text", text: "A dot." },
        { type: "image", mediaType: "image/png", data: png },
      ),
    );
    await worker.start();
    const { tools } = await sidecallTools(sidecall, {
      sessionId: `image-${version.replace(" ", "")}`,
      names: ["draw"],
    });
    const { model: mock, prompts } = model(null, [
      { type: "tool-call", toolCallId: "a", toolName: "draw", input: "{}" },
    ]);
    await ai.generateText({ model: mock, tools, prompt: "Go.", stopWhen: ai.stepCountIs(2) });
    await worker.drain();
    const [output] = told(prompts);

    expect(output?.type).toBe("content");
    expect(JSON.stringify(output?.value)).toContain(png.toString("base64"));
    expect(JSON.stringify(output?.value)).toContain("image/png");
  });

  test("an abort goes to the server", async () => {
    const held = upstream.next("/save");
    upstream.handle(() => undefined);
    const { tools } = await sidecallTools(sidecall);
    const controller = new AbortController();
    const running = ai.generateText({
      model: model().model,
      tools,
      prompt: "Go.",
      abortSignal: controller.signal,
    });
    const { closed } = await held;
    controller.abort();

    await running.catch(() => undefined);
    await closed;
  });
});

test("only the tools that were asked for are there", async () => {
  const { tools } = await sidecallTools(sidecall, { names: ["save"] });

  expect(Object.keys(tools)).toEqual(["save"]);
});

test("loops that run side by side do not share a turn", async () => {
  const turns: TurnResult[] = [];
  const { tools } = await sidecallTools(sidecall, {
    references: true,
    onTurn: (turn) => turns.push(turn),
  });
  const loop = () => ai6.generateText({ model: model().model, tools, prompt: "Go." });
  await Promise.all([loop(), loop(), loop()]);

  expect(turns.map(({ summary }) => summary.calls)).toEqual([3, 3, 3]);
});
