/** LangGraph and LangChain, and the real program. */

import { AIMessage, type BaseMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { ToolNode, toolsCondition } from "@langchain/langgraph/prebuilt";
import { describe, expect, test } from "vitest";

import { OptionsError, type Sidecall } from "../src/index.js";
import { SidecallToolNode, sidecallTools, ToolCallError } from "../src/langchain.js";
import type { Upstream } from "./support/sidecar.js";
import { inWorld, withoutSaving } from "./support/world.js";

let upstream: Upstream;
let sidecall: Sidecall;

inWorld((world) => {
  ({ upstream, sidecall } = world);
}, withoutSaving);

const call = (name: string, args: Record<string, unknown>, id = name) => ({
  type: "tool_call" as const,
  id,
  name,
  args,
});

/** An agent whose model makes these calls, and then says what it was told. */
function agent(node: SidecallToolNode | ToolNode, ...calls: ReturnType<typeof call>[]) {
  return new StateGraph(MessagesAnnotation)
    .addNode("agent", ({ messages }) => {
      const isFirst = messages.at(-1)?.getType() === "human";
      return {
        messages: [
          isFirst ? new AIMessage({ content: "", tool_calls: calls }) : new AIMessage("Done."),
        ],
      };
    })
    .addNode("tools", node)
    .addEdge(START, "agent")
    .addConditionalEdges("agent", toolsCondition, ["tools", END])
    .addEdge("tools", "agent")
    .compile();
}

const asked = { messages: [new HumanMessage("Go.")] };
const tools = (messages: BaseMessage[]) => messages.filter((one) => one instanceof ToolMessage);

describe("a graph's node", () => {
  test("runs a message's calls as one turn, and answers each", async () => {
    const events: string[] = [];
    const node = new SidecallToolNode(sidecall, {
      references: true,
      onEvent: ({ type }) => events.push(type),
    });
    const graph = agent(
      node,
      call("list_orders", { user: "${get_user.name}" }),
      call("get_user", { id: 1 }),
      call("save", {}),
    );
    const { messages } = await graph.invoke(asked);
    const answers = tools(messages);

    expect(answers.map(({ tool_call_id, status }) => [tool_call_id, status])).toEqual([
      ["list_orders", "success"],
      ["get_user", "success"],
      ["save", "error"],
    ]);
    expect(answers[1]?.content).toBe('{"name":"mara"}');
    expect(answers[2]?.artifact).toMatchObject({ outcome: "failed", failure: { attempts: 1 } });
    expect(upstream.asked.find(({ path }) => path === "/orders")?.query.get("user")).toBe("mara");
    expect(events.filter((type) => type === "accepted")).toHaveLength(1);
    expect(messages.at(-1)?.content).toBe("Done.");
  });

  test("runs for the graph's thread, whose workers it has", async () => {
    const worker = sidecall.worker({ sessionId: "thread-1" });
    worker.tool("greet", { description: "Greets.", input: { type: "object" } }, () => "Hello.");
    await worker.start();
    const graph = agent(new SidecallToolNode(sidecall), call("greet", {}));
    const run = async (thread_id: string) =>
      tools((await graph.invoke(asked, { configurable: { thread_id } })).messages)[0];

    expect(await run("thread-1")).toMatchObject({ status: "success", content: "Hello." });
    expect(await run("thread-2")).toMatchObject({ status: "error" });
    worker.close();
  });

  test("leaves out what has its answer, and answers what is invalid", async () => {
    const message = new AIMessage({
      content: "",
      tool_calls: [call("get_user", { id: 1 }, "a"), call("get_user", { id: 2 }, "b")],
      invalid_tool_calls: [{ type: "invalid_tool_call", id: "c", name: "save", args: "{" }],
    });
    const before = new ToolMessage({ tool_call_id: "a", content: "known" });
    const node = new SidecallToolNode(sidecall);
    const answers = (await node.invoke([message, before])) as ToolMessage[];

    expect(answers.map(({ tool_call_id, status }) => [tool_call_id, status])).toEqual([
      ["b", "success"],
      ["c", "error"],
    ]);
    expect(upstream.asked.map(({ path }) => path)).toEqual(["/user"]);
  });

  test("finds its messages under another key, and says where there are none", async () => {
    const message = new AIMessage({ content: "", tool_calls: [call("get_user", { id: 1 })] });
    const node = new SidecallToolNode(sidecall, { messagesKey: "chat" });

    expect(await node.invoke({ chat: [message] })).toMatchObject({
      chat: [{ tool_call_id: "get_user" }],
    });
    await expect(node.invoke({ messages: [message] })).rejects.toThrow(OptionsError);
    await expect(node.invoke([new HumanMessage("hi")])).rejects.toThrow("no AIMessage");
  });
});

describe("tools of LangChain", () => {
  test("are run by LangGraph's own node", async () => {
    const graph = agent(
      new ToolNode(await sidecallTools(sidecall)),
      call("get_user", { id: 1 }),
      call("save", {}),
    );
    const answers = tools((await graph.invoke(asked)).messages);

    expect(answers[0]).toMatchObject({ status: "success", content: '{"name":"mara"}' });
    expect(answers[0]?.artifact).toMatchObject({ outcome: "succeeded" });
    expect(answers[1]?.status).toBe("error");
    expect(answers[1]?.content).toContain("there is no such thing");
  });

  test("are those that were named, with their schemas", async () => {
    const [tool, ...others] = await sidecallTools(sidecall, { names: ["get_user"] });

    expect(others).toEqual([]);
    expect(tool).toMatchObject({
      name: "get_user",
      description: "One user by id.",
      schema: { type: "object", required: ["id"] },
    });
    await expect(sidecallTools(sidecall, { names: ["nope"] })).rejects.toThrow("no tool nope");
  });

  test("throw where the call failed", async () => {
    const [tool] = await sidecallTools(sidecall, { names: ["save"] });

    await expect(tool?.invoke({})).rejects.toThrow(ToolCallError);
  });
});
