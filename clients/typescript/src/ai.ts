/**
 * Sidecall's tools for the Vercel AI SDK, 6 and 7: `generateText` and `streamText`
 * run their loops as ever, and the calls of each step go to Sidecall as one turn.
 *
 * @packageDocumentation
 */

import { dynamicTool, jsonSchema, type LanguageModelMiddleware, type ToolSet } from "ai";

import type { Call } from "./ai/call.js";
import { Gatherer } from "./ai/gather.js";
import { Steps } from "./ai/steps.js";
import { wordsOf } from "./bundle.js";
import type { Sidecall } from "./client.js";
import type { BatchOptions } from "./options.js";
import type { CallResult, Content } from "./result.js";
import { ToolCallError } from "./tool_call_error.js";
import type { TurnResult } from "./turn_result.js";

export { ToolCallError };

/** How the tools are listed, and their calls run. */
export interface SidecallToolsOptions
  extends Pick<
    BatchOptions,
    "sessionId" | "references" | "ordering" | "timeoutMs" | "callTimeoutMs"
  > {
  /** Only these tools. */
  readonly names?: readonly string[] | undefined;
  /** Descriptions say how long a call usually takes. */
  readonly latencies?: boolean | undefined;
  /**
   * How long to wait for the step's next call before those that came are sent, where no
   * `middleware` tells. `generateText` makes all calls of a step at once, and the default
   * of 1 ms is enough; `streamText` makes each when the model has written it, and what
   * comes later than this is a turn of its own.
   */
  readonly gatherMs?: number | undefined;
  /** Told of each turn: timings, plan and summary. */
  readonly onTurn?: ((turn: TurnResult) => void) | undefined;
}

/** Tools for the AI SDK. */
export interface SidecallTools {
  /** For `generateText({tools})`. */
  readonly tools: ToolSet;
  /**
   * For `streamText`: `wrapLanguageModel({ model, middleware })` makes one turn of a step's
   * calls though they come one by one, and starts those that only read while the model is
   * still writing.
   */
  readonly middleware: LanguageModelMiddleware;
  /** For the system prompt; empty unless references were asked for. */
  readonly instructions: string;
}

/** A tool as the server writes it for the AI SDK. */
interface Definition {
  readonly name: string;
  readonly description?: string;
  readonly inputSchema: Parameters<typeof jsonSchema>[0];
}

/** Lists Sidecall's tools as tools of the AI SDK. */
export async function sidecallTools(
  sidecall: Sidecall,
  options: SidecallToolsOptions = {},
): Promise<SidecallTools> {
  const { names, latencies, gatherMs = 1, onTurn, ...batch } = options;
  const { sessionId, references } = batch;
  const list = await sidecall.listTools<Definition>({
    shape: "ai_sdk",
    sessionId,
    references,
    latencies,
  });
  const gatherer = new Gatherer<Call, CallResult>(async (calls) => {
    const turn = await sidecall.execute(
      calls.map(({ id, name, input }) => ({
        type: "tool-call",
        toolCallId: id,
        toolName: name,
        input,
      })),
      { ...batch, shape: "ai_sdk", signal: calls[0]?.signal },
    );
    onTurn?.(turn);
    return turn.results;
  }, gatherMs);
  const offered = list.definitions.filter(({ name }) => names?.includes(name) ?? true);
  const ours = new Set(offered.map(({ name }) => name));
  const steps = new Steps({ sidecall, options: batch, onTurn }, ours);
  const tools: ToolSet = {};
  for (const { name, description = "", inputSchema } of offered) {
    tools[name] = dynamicTool({
      description,
      inputSchema: jsonSchema(inputSchema),
      // The calls of one step have their messages in common, the very array.
      execute: async (input, { toolCallId, messages, abortSignal }) => {
        const call = { id: toolCallId, name, input, signal: abortSignal };
        const result = await (steps.add(call) ?? gatherer.add(messages, call));
        if (result.isError) throw new ToolCallError(result);
        return outputOf(result.content);
      },
      toModelOutput: ({ output }) => modelOutput(output) as never,
    });
  }
  return { tools, middleware: steps.middleware, instructions: list.instructions };
}

/** What the AI SDK and its user see of a result: text, a JSON value, or content. */
function outputOf(content: readonly Content[]): unknown {
  const [first] = content;
  if (content.length === 1 && first?.type === "json") return JSON.parse(first.text) as unknown;
  if (content.every(({ type }) => type !== "image" && type !== "document")) {
    return content.map(wordsOf).join("\n");
  }
  const value = content.map((block) => {
    if (block.type !== "image" && block.type !== "document") {
      return { type: "text", text: wordsOf(block) };
    }
    const data = Buffer.from(block.data).toString("base64");
    const type = block.type === "image" ? "image-data" : "file-data";
    return { type, data, mediaType: block.mediaType };
  });
  return { type: "content", value };
}

/** The output as the model is given it. */
function modelOutput(output: unknown): unknown {
  if (typeof output === "string") return { type: "text", value: output };
  const { type, value } = (output ?? {}) as { type?: unknown; value?: unknown };
  if (type === "content" && Array.isArray(value)) return output;
  return { type: "json", value: output ?? null };
}
