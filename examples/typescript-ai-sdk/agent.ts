// An agent with the Vercel AI SDK: its loop as ever, its tools Sidecall's.

import { createAnthropic } from "@ai-sdk/anthropic";
import { Sidecall } from "@sidecall/client";
import { sidecallTools } from "@sidecall/client/ai";
import { generateText, stepCountIs } from "ai";

const anthropic = createAnthropic({
  baseURL: `${process.env["MODEL_URL"]}/v1`,
  apiKey: "none",
});

const sidecall = new Sidecall();
const { tools, instructions } = await sidecallTools(sidecall, {
  sessionId: "example-ai-sdk",
  references: true,
  onTurn: ({ results, summary }) => {
    for (const { tool, outcome } of results) console.log(`  ${tool.padEnd(16)} ${outcome}`);
    console.log(`${results.length} calls in ${Math.round(summary?.durationMs ?? 0)} ms`);
  },
});
const { text } = await generateText({
  model: anthropic("scripted"),
  system: instructions,
  prompt: "What should I know before I call Lovelace?",
  tools,
  maxOutputTokens: 1024,
  stopWhen: stepCountIs(5),
});
console.log(text);
sidecall.close();
