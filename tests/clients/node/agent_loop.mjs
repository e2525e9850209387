// One step of an agent's loop, made by a provider's own SDK: see
// ../python/agent_loop.py.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const WORDS = "Look it up.";

const { values: options, positionals } = parseArgs({
  options: { model: { type: "string" }, with: { type: "string" } },
  allowPositionals: true,
});
const [shape, kind] = positionals;
const step = JSON.parse(readFileSync(options.with, "utf8"));

// Modules are not looked for in NODE_PATH where they are imported.
const require = createRequire(path.join(process.env.NODE_PATH, "index.js"));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);

/** The judge must be able to say no. */
async function mustRefuse(what, attempt) {
  try {
    await attempt();
  } catch {
    return;
  }
  throw new Error(`the SDK took ${what}`);
}

async function aiSdk(name) {
  // They go where the report goes.
  globalThis.AI_SDK_LOG_WARNINGS = false;
  const ai = await load(name);
  const { createAnthropic } = await load("@ai-sdk/anthropic");
  const model = createAnthropic({ baseURL: `${options.model}/v1`, apiKey: "none" })("claude-none");
  const tools = Object.fromEntries(
    step.tools.map(({ name, description, inputSchema }) => [
      name,
      ai.tool({ description, inputSchema: ai.jsonSchema(inputSchema) }),
    ]),
  );
  // The next major version renamed it.
  const system = name === "ai" ? { system: step.instructions } : { instructions: step.instructions };
  const request = (history) =>
    ai.generateText({
      model,
      tools,
      ...system,
      maxRetries: 0,
      messages: [{ role: "user", content: WORDS }, ...history],
    });
  if (kind === "ask") {
    const { response, responseMessages } = await request([]);
    return JSON.stringify((responseMessages ?? response.messages)[0]);
  }
  const assistant = ai.modelMessageSchema.parse(JSON.parse(step.turn));
  const results = { role: "tool", content: step.bundle };
  ai.modelMessageSchema.parse(results);
  await request([assistant, results]);
  const [first, ...rest] = step.bundle;
  const { output, ...without } = first;
  for (const broken of [without, { ...first, output: { type: "text", value: output } }]) {
    const message = { role: "tool", content: [broken, ...rest] };
    await mustRefuse("a broken result", () => ai.modelMessageSchema.parse(message));
  }
  return null;
}

async function gemini() {
  const { GoogleGenAI } = await load("@google/genai");
  const client = new GoogleGenAI({ apiKey: "none", vertexai: false, httpOptions: { baseUrl: options.model } });
  const request = (history) =>
    client.models.generateContent({
      model: "gemini-3-pro",
      contents: [{ role: "user", parts: [{ text: WORDS }] }, ...history],
      config: { systemInstruction: step.instructions, tools: [{ functionDeclarations: step.tools }] },
    });
  if (kind === "ask") {
    const { candidates } = await request([]);
    return JSON.stringify({ candidates });
  }
  const { content } = JSON.parse(step.turn).candidates[0];
  await request([content, { role: "user", parts: step.bundle }]);
  return null;
}

/** There is no model of LangChain's here: its messages judge alone. */
async function langchain() {
  const { AIMessage, ToolMessage, mapStoredMessagesToChatMessages } =
    await load("@langchain/core/messages");
  const { load: revive } = await load("@langchain/core/load");
  if (kind === "ask") {
    const calls = step.calls.map(({ id, name, input }) => ({ id, name, args: input, type: "tool_call" }));
    const message = new AIMessage({ content: "", tool_calls: calls });
    const stored = step.spelling === "stored";
    return JSON.stringify(stored ? message.toDict() : message);
  }
  const stored = step.spelling === "stored";
  const read = async (item) =>
    stored ? mapStoredMessagesToChatMessages([item])[0] : revive(JSON.stringify(item));
  for (const item of step.bundle) {
    const message = await read(item);
    const [id, status] = [message.tool_call_id, message.status];
    if (!ToolMessage.isInstance(message) || typeof id !== "string" || !["success", "error"].includes(status)) {
      throw new Error(`${JSON.stringify(message)} is no answer`);
    }
  }
  const [first] = step.bundle;
  const broken = stored ? { ...first, type: "answer" } : { ...first, id: [...first.id.slice(0, -1), "Nobody"] };
  await mustRefuse("an answer of nobody's", () => read(broken));
  return null;
}

const loops = { "ai-sdk": () => aiSdk("ai"), "ai-sdk-7": () => aiSdk("ai7"), gemini, langchain };
const turn = await loops[shape]();
process.stdout.write(JSON.stringify({ turn }));
