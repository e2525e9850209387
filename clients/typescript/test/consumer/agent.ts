/**
 * A program that uses the package as it is installed: compiled and run as an ES module
 * and as CommonJS. It says what it saw as one line of JSON, and ends by itself: nothing
 * of the client may keep it alive.
 */

import { BrokenError, Sidecall, SidecallError, type TurnResult } from "@sidecall/client";
import { sidecallTools } from "@sidecall/client/ai";
import { turnHandler } from "@sidecall/client/next";
import { readTurn } from "@sidecall/client/read";
import { generateText, stepCountIs } from "ai";
import { MockLanguageModelV3 } from "ai/test";

const CALL = {
  type: "tool-call",
  toolCallId: "a",
  toolName: "get_user",
  input: '{"id":1}',
} as const;
const USAGE = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
};

async function main(): Promise<void> {
  // Where it is comes from SIDECALL_ADDRESS.
  const sidecall = new Sidecall();
  const content = [{ type: "tool_use", id: "t0", name: "save", input: { value: 10n ** 20n } }];
  const turn: TurnResult<"anthropic"> = await sidecall.execute(content, { shape: "anthropic" });

  const { tools } = await sidecallTools(sidecall);
  let asked = 0;
  const model = new MockLanguageModelV3({
    doGenerate: async () => {
      asked += 1;
      return asked === 1
        ? {
            content: [CALL],
            finishReason: { unified: "tool-calls", raw: undefined },
            usage: USAGE,
            warnings: [],
          }
        : {
            content: [{ type: "text", text: "Done." }],
            finishReason: { unified: "stop", raw: undefined },
            usage: USAGE,
            warnings: [],
          };
    },
  });
  const { text, steps } = await generateText({
    model,
    tools,
    prompt: "Go.",
    stopWhen: stepCountIs(2),
  });

  const handler = turnHandler(sidecall, { authorize: () => ({}) });
  const body = '[{"type":"tool_use","id":"t1","name":"get_user","input":{"id":2}}]';
  const response = await handler(new Request("http://localhost/", { method: "POST", body }));
  const events: string[] = [];
  for await (const event of readTurn(response)) events.push(event.type);

  console.log(
    JSON.stringify({
      ids: turn.content.map((block) => block.tool_use_id),
      outcomes: turn.results.map(({ outcome }) => outcome),
      text,
      output: steps[0]?.toolResults.map(({ output }) => output),
      events,
      isError: new BrokenError("x") instanceof SidecallError,
    }),
  );
}

void main();
