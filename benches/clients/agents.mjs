// Many agents in one Node.js process, whose turns are run in one of several ways.
// Prints what agents.py prints.
//
//     node agents.mjs sidecall|aisdk|all --address unix:///… --upstream http://…

import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";

const CALLS = 5;

const { values: args, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    address: { type: "string", default: "" },
    upstream: { type: "string", default: "" },
    tool: { type: "string", default: "wait20" },
    agents: { type: "string", default: "200" },
    turns: { type: "string", default: "10" },
    connections: { type: "string", default: "1000" },
  },
});

/** The assistant's message of one turn, as the AI SDK has it. */
function message(turn) {
  const content = Array.from({ length: CALLS }, (_, n) => ({
    type: "tool-call",
    toolCallId: `call_${turn}_${n}`,
    toolName: args.tool,
    input: { key: `${turn}-${n}` },
  }));
  return { role: "assistant", content };
}

/** What a tool written in TypeScript asks its API with. */
async function look({ key }) {
  const answer = await fetch(`${args.upstream}/${args.tool}/${key}`);
  return answer.json();
}

const WAYS = {
  /** The package, as an agent has it. */
  async sidecall() {
    const { Sidecall } = await import("@sidecall/client");
    const sidecall = new Sidecall({ address: args.address });
    return async (number) => {
      const turn = await sidecall.execute(message(number));
      check(turn.results.every((result) => result.outcome === "succeeded"), turn.results);
    };
  },

  /** The AI SDK's own execution of a step, tools in this process. */
  async aisdk() {
    const { generateText, jsonSchema, stepCountIs, tool } = await import("ai");
    const { MockLanguageModelV3 } = await import("ai/test");
    const inputSchema = jsonSchema({
      type: "object",
      properties: { key: { type: "string" } },
      required: ["key"],
    });
    const tools = { [args.tool]: tool({ description: "Looks up.", inputSchema, execute: look }) };
    const usage = {
      inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
      outputTokens: { total: 1, text: 1, reasoning: 0 },
    };
    return async (number) => {
      const content = message(number).content.map((call) => ({
        ...call,
        input: JSON.stringify(call.input),
      }));
      const model = new MockLanguageModelV3({
        doGenerate: async () => ({
          content,
          finishReason: { unified: "tool-calls", raw: "tool_use" },
          usage,
          warnings: [],
        }),
      });
      const { toolResults } = await generateText({
        model,
        tools,
        prompt: "go",
        stopWhen: stepCountIs(1),
      });
      check(toolResults.length === CALLS, toolResults);
    };
  },

  /** Nothing but Promise.all: no limits, no traces, no order, no protection. */
  async all() {
    return async (number) => {
      const results = await Promise.all(message(number).content.map((call) => look(call.input)));
      check(results.length === CALLS, results);
    };
  },
};

function check(holds, what) {
  if (!holds) throw new Error(`not what was asked for: ${JSON.stringify(what)}`);
}

const [agents, turns] = [Number(args.agents), Number(args.turns)];
const way = WAYS[positionals[0]];
if (!way) throw new Error(`name one of ${Object.keys(WAYS).join(", ")}`);
const turn = await way();
const each = (work) => Promise.all(Array.from({ length: agents }, (_, number) => work(number)));

// A turn of each to warm up.
await each(turn);
const took = [];
const used = process.cpuUsage();
const begin = performance.now();
await each(async (number) => {
  for (let n = 1; n <= turns; n++) {
    const begin = performance.now();
    await turn(n * agents + number);
    took.push(performance.now() - begin);
  }
});
const seconds = (performance.now() - begin) / 1000;
const { user, system } = process.cpuUsage(used);
took.sort((a, b) => a - b);
console.log(
  JSON.stringify({
    turns_per_second: took.length / seconds,
    p50_ms: took[Math.floor(took.length / 2)],
    p99_ms: took[Math.floor((took.length * 99) / 100)],
    cpu_s_per_1000_calls: ((user + system) / 1e6 / (took.length * CALLS)) * 1000,
    turns: took.length,
    warm_up_turns: agents,
  }),
);
process.exit(0);
