/** Workers of this package and the real program. */

import { expect, test } from "vitest";
import { z } from "zod";

import { type BatchEvent, RefusedError, Sidecall, type Worker } from "../src/index.js";
import { latch } from "./support/serving.js";
import { Sidecar, type Upstream } from "./support/sidecar.js";
import { inWorld } from "./support/world.js";

let upstream: Upstream;
let sidecall: Sidecall;

inWorld((world) => {
  ({ upstream, sidecall } = world);
});

const use = (name: string, input: object, id = name) => ({ type: "tool_use", id, name, input });
const GREET = {
  description: "Greets.",
  input: z.object({ name: z.string() }),
  effect: "read_only",
} as const;

test("a function of this process and a remote tool are one turn", async () => {
  const worker = sidecall.worker({ sessionId: "both" });
  // What comes with the result itself need not be told.
  const told = latch();
  worker.tool("greet", GREET, async ({ name }, { progress }) => {
    progress({ done: 1, total: 1, message: "greeted" });
    await told.promise;
    return { greeting: `Hello, ${name}!` };
  });
  await worker.start();
  const calls = [use("greet", { name: "${get_user.name}" }), use("get_user", { id: 1 })];
  const events: BatchEvent<"anthropic">[] = [];
  for await (const event of sidecall.events(calls, {
    shape: "anthropic",
    sessionId: "both",
    references: true,
  })) {
    events.push(event);
    if (event.type === "progress") told.settle();
  }
  const last = events.at(-1);
  const [known] = (await sidecall.plan(calls, { sessionId: "both" })).calls;
  const [unknown] = (await sidecall.plan(calls)).calls;

  expect(last?.type === "finished" && last.turn.content[0]).toEqual({
    type: "tool_result",
    tool_use_id: "greet",
    content: [{ type: "text", text: '{"greeting":"Hello, mara!"}' }],
  });
  expect(events).toContainEqual(
    expect.objectContaining({ type: "progress", callId: "greet", done: 1, message: "greeted" }),
  );
  expect([known?.fault, unknown?.fault?.code]).toEqual([undefined, "unknown_tool"]);
  await worker.drain();
});

test("the tools are its session's, until it is gone", async () => {
  const names = async (sessionId: string) =>
    (await sidecall.listTools({ sessionId })).tools.map(({ name }) => name);
  const worker = sidecall.worker({ sessionId: "mine" }).tool("greet", GREET, () => "hi");
  await worker.start();

  expect(await names("mine")).toContain("greet");
  expect(await names("another")).not.toContain("greet");
  await worker.drain();
  expect(await names("mine")).not.toContain("greet");
});

test("what is thrown is the tool's own error, and invalid input never arrives", async () => {
  let ran = 0;
  const worker = sidecall.worker({ sessionId: "errors" }).tool("greet", GREET, () => {
    ran += 1;
    throw new Error("nobody is at home");
  });
  await worker.start();
  const turn = await sidecall.execute(
    [use("greet", { name: "mara" }), use("greet", { name: 7 }, "wrong")],
    { sessionId: "errors" },
  );

  expect(turn.results.map(({ failure }) => failure?.code)).toEqual(["tool_error", "invalid_input"]);
  expect(turn.results[0]?.failure?.message).toContain("nobody is at home");
  expect(ran).toBe(1);
  worker.close();
});

test("a call that is cancelled raises the function's signal", async () => {
  const begun = latch();
  const aborted = latch();
  const worker = sidecall
    .worker({ sessionId: "cancel" })
    .tool("wait", { ...GREET }, (_, { signal }) => {
      signal.addEventListener("abort", () => aborted.settle());
      begun.settle();
      return aborted.promise;
    });
  await worker.start();
  const turn = sidecall.execute([use("wait", { name: "x" })], {
    sessionId: "cancel",
    batchId: "c1",
  });
  await begun.promise;
  await sidecall.cancel("c1");
  await aborted.promise;

  expect((await turn).results[0]?.outcome).toBe("cancelled");
  worker.close();
});

test("a worker that is gone leaves its write unknown", async () => {
  const begun = latch();
  const worker = sidecall.worker({ sessionId: "gone" });
  worker.tool("write", { description: "Writes.", input: z.object({}) }, () => {
    begun.settle();
    return new Promise(() => undefined);
  });
  await worker.start();
  const turn = sidecall.execute([use("write", {})], { sessionId: "gone" });
  await begun.promise;
  worker.close();

  expect((await turn).results[0]?.failure?.code).toBe("outcome_unknown");
});

test("a worker comes back to the next process", async () => {
  const other = new Sidecar(upstream);
  other.start();
  const client = new Sidecall({ address: other.address });
  const worker = client.worker({ sessionId: "back" }).tool("greet", GREET, () => "hi");
  await worker.start();
  await other.kill();
  other.start();
  let names: string[] = [];
  while (!names.includes("greet")) {
    names = (await client.listTools({ sessionId: "back" })).tools.map(({ name }) => name);
  }

  const turn = await client.execute([use("greet", { name: "x" })], { sessionId: "back" });
  expect(turn.summary.succeeded).toBe(1);
  worker.close();
  client.close();
  await other.stop();
});

test("workers that are cut off mid-call, fifty times, lose no read", async () => {
  let begun: (worker: Worker) => void = () => undefined;
  const offer = async () => {
    const worker = sidecall.worker({ shared: true });
    worker.tool("look", GREET, ({ name }, { attempt, signal }) => {
      if (attempt > 1) return name;
      begun(worker);
      return new Promise((resolve) => signal.addEventListener("abort", resolve));
    });
    await worker.start();
    return worker;
  };
  const workers = [await offer(), await offer()];
  for (let count = 0; count < 50; count += 1) {
    const running = new Promise<Worker>((resolve) => (begun = resolve));
    const turn = sidecall.execute([use("look", { name: `n${count}` })]);
    const worker = await running;
    worker.close();
    workers[workers.indexOf(worker)] = await offer();

    const [result] = (await turn).results;
    expect(result?.content).toEqual([{ type: "text", text: `n${count}` }]);
  }
  for (const worker of workers) worker.close();
});

test("a name that the configuration has is refused", async () => {
  const worker = sidecall.worker({ sessionId: "clash" }).tool("get_user", GREET, () => "");

  await expect(worker.start()).rejects.toThrow(RefusedError);
});
