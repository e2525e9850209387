/**
 * LangGraph and LangChain: a node that runs a turn's calls in Sidecall, and Sidecall's
 * tools as LangChain's. Of both only `@langchain/core` is used.
 *
 * @packageDocumentation
 */

import { ToolMessage } from "@langchain/core/messages";
import { Runnable, type RunnableConfig } from "@langchain/core/runnables";
import { DynamicStructuredTool } from "@langchain/core/tools";

import type { Sidecall } from "./client.js";
import { OptionsError } from "./errors.js";
import type { BatchEvent } from "./event.js";
import { isObject, type JsonObject } from "./json.js";
import type { BatchOptions } from "./options.js";
import { ToolCallError } from "./tool_call_error.js";
import type { TurnResult } from "./turn_result.js";

export { ToolCallError };

/** How the node runs a turn. */
export interface SidecallToolNodeOptions
  extends Pick<
    BatchOptions,
    "sessionId" | "references" | "ordering" | "timeoutMs" | "callTimeoutMs"
  > {
  /** Where the state has its messages. `messages` */
  readonly messagesKey?: string | undefined;
  /** The node's name. `tools` */
  readonly name?: string | undefined;
  /** Told of what happens. */
  readonly onEvent?: ((event: BatchEvent<"langchain">) => void) | undefined;
}

/**
 * Stands where LangGraph's `ToolNode` stands: state in, `ToolMessage`s out. The calls of
 * the last `AIMessage` that have no answer yet are one turn: planned, run at once within
 * each API's limits, and traced as one. The artifact of each message is its `CallResult`.
 * The session is the graph's `thread_id`, unless `sessionId` names one.
 *
 * @example
 * ```ts
 * new StateGraph(MessagesAnnotation).addNode("tools", new SidecallToolNode(sidecall));
 * ```
 */
// biome-ignore lint/suspicious/noExplicitAny: as LangGraph's own node, it takes any state.
export class SidecallToolNode extends Runnable<any, any> {
  override lc_namespace = ["sidecall", "langchain"];
  override name: string;
  readonly #sidecall: Sidecall;
  readonly #options: SidecallToolNodeOptions;

  constructor(sidecall: Sidecall, options: SidecallToolNodeOptions = {}) {
    super();
    this.name = options.name ?? "tools";
    this.#sidecall = sidecall;
    this.#options = options;
  }

  /**
   * Runs the turn.
   *
   * @param state a list of messages, which is answered with messages; or an object that
   *   has one under `messagesKey`, which is answered with such an object
   */
  override async invoke(state: unknown, config?: Partial<RunnableConfig>): Promise<unknown> {
    const { messagesKey = "messages", name: _, onEvent, ...options } = this.#options;
    const message = turnOf(state, messagesKey);
    const batch = {
      ...options,
      sessionId: sessionOf(config, options.sessionId),
      signal: config?.signal,
      shape: "langchain" as const,
    };
    let messages: ToolMessage[] = [];
    for await (const event of this.#sidecall.events(message, batch)) {
      onEvent?.(event);
      if (event.type === "finished") messages = messagesOf(event.turn);
    }
    return Array.isArray(state) ? messages : { [messagesKey]: messages };
  }
}

/** How the tools are listed, and their calls run. */
export interface SidecallToolsOptions extends Pick<BatchOptions, "sessionId" | "callTimeoutMs"> {
  /** Only these tools. */
  readonly names?: readonly string[] | undefined;
}

/**
 * Sidecall's tools as LangChain's: for `model.bindTools`, and for whatever calls tools one
 * by one. Each call is a turn of its own; {@link SidecallToolNode} makes one of them all.
 * A call that fails throws a {@link ToolCallError}.
 */
export async function sidecallTools(
  sidecall: Sidecall,
  options: SidecallToolsOptions = {},
): Promise<DynamicStructuredTool[]> {
  const { names, ...batch } = options;
  const { tools } = await sidecall.listTools({ sessionId: batch.sessionId });
  const missing = names?.filter((name) => !tools.some((tool) => tool.name === name)) ?? [];
  if (missing.length > 0) {
    const known = tools.map(({ name }) => name).join(", ");
    throw new OptionsError(`there is no tool ${missing.join(", ")}: there are ${known}`);
  }
  const chosen = tools.filter(({ name }) => names?.includes(name) ?? true);
  return chosen.map(
    ({ name, description, inputSchema }) =>
      new DynamicStructuredTool({
        name,
        description,
        schema: inputSchema as never,
        responseFormat: "content_and_artifact",
        func: async (args: unknown, _run: unknown, config?: Config) => {
          const call = { type: "tool_call", id: config?.toolCall?.id, name, args };
          const turn = await sidecall.execute([call], {
            ...batch,
            sessionId: sessionOf(config, batch.sessionId),
            signal: config?.signal,
            shape: "langchain",
          });
          const [result] = turn.results;
          if (result?.isError) throw new ToolCallError(result);
          return [turn.content[0]?.content, result];
        },
      }),
  );
}

type Config = Partial<RunnableConfig> & { readonly toolCall?: { readonly id?: string } };

/** The session of a call: what is named, else the graph's thread. */
function sessionOf(config: Partial<RunnableConfig> | undefined, named: string | undefined): string {
  const thread: unknown = config?.configurable?.["thread_id"];
  return named ?? (typeof thread === "string" || typeof thread === "number" ? String(thread) : "");
}

function messagesOf({ content, results }: TurnResult<"langchain">): ToolMessage[] {
  return content.map(
    ({ type: _, ...item }, index) =>
      new ToolMessage({ ...item, artifact: results[index] } as ConstructorParameters<
        typeof ToolMessage
      >[0]),
  );
}

/** The calls of the last `AIMessage` that nothing has answered, as a message. */
function turnOf(state: unknown, messagesKey: string): JsonObject {
  if (isObject(state) && isObject(state["lg_tool_call"])) {
    // Sent to the node by itself, as `Send` does.
    return { type: "ai", tool_calls: [state["lg_tool_call"]] };
  }
  const messages = isObject(state) ? state[messagesKey] : state;
  if (!Array.isArray(messages)) {
    throw new OptionsError(
      `the state has no list of messages under ${messagesKey}: name it as \`messagesKey\``,
    );
  }
  const answered = new Set<unknown>();
  for (const message of (messages as Message[]).toReversed()) {
    const type = message.getType?.();
    if (type === "tool") answered.add(message.tool_call_id);
    if (type !== "ai") continue;
    const open = (calls: readonly Called[] = []) =>
      calls.filter(({ id }) => id === undefined || !answered.has(id));
    return {
      type: "ai",
      tool_calls: open(message.tool_calls),
      invalid_tool_calls: open(message.invalid_tool_calls),
    };
  }
  throw new OptionsError("the state has no AIMessage: this node runs the calls of the last one");
}

/** What is read of a message. */
interface Message {
  getType?(): string;
  readonly tool_call_id?: string;
  readonly tool_calls?: readonly Called[];
  readonly invalid_tool_calls?: readonly Called[];
}

interface Called {
  readonly id?: string;
}
