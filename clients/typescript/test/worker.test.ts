import { AsyncLocalStorage } from "node:async_hooks";

import { status } from "@grpc/grpc-js";
import { type Context, context, propagation, ROOT_CONTEXT } from "@opentelemetry/api";
import { describe, expect, test } from "vitest";
import { z } from "zod";

import {
  content,
  OptionsError,
  RefusedError,
  Sidecall,
  ToolError,
  UnreachableError,
} from "../src/index.js";
import { Effect } from "../src/wire/sidecall/v1/sidecall_pb.js";
import { refusal } from "./support/peer.js";
import { ANY, latch, opened, server, serving } from "./support/serving.js";

describe("a tool", () => {
  test("has its schema from zod, and its input is of that type", async () => {
    const { sidecall, stream } = await server();
    const worker = sidecall.worker({ shared: true, name: "w", attemptsMax: 3 });
    opened.push(worker);
    worker.tool(
      "add",
      {
        description: "Adds.",
        input: z.object({ a: z.number(), b: z.number().default(1).describe("One, if left out.") }),
        effect: "read_only",
        timeoutMs: 1500,
      },
      ({ a, b }) => ({ sum: a + b }),
    );
    const started = worker.start();
    const heard = await stream();
    const hello = await heard.hello();
    heard.welcome();
    await started;
    heard.attempt(1n, "add", '{"a":2}');
    const result = await heard.result();

    expect(hello).toMatchObject({ name: "w", shared: true, sessionId: "", attemptsMax: 3 });
    expect(hello.tools).toMatchObject([
      {
        name: "add",
        description: "Adds.",
        effect: Effect.READ_ONLY,
        timeout: { seconds: 1n, nanos: 5e8 },
      },
    ]);
    expect(JSON.parse(hello.tools[0]?.inputSchemaJson ?? "")).toMatchObject({
      type: "object",
      properties: { a: { type: "number" }, b: { default: 1, description: "One, if left out." } },
      required: ["a"],
    });
    expect(result).toMatchObject({ attemptId: 1n, isError: false });
    expect(result.content).toMatchObject([{ block: { case: "json", value: '{"sum":3}' } }]);
  });

  test("says no with the function's own words", async () => {
    const { heard } = await serving("refuse", ANY, () => {
      throw new ToolError("there is nothing left");
    });
    heard.attempt(1n, "refuse", "{}");

    expect(await heard.result()).toMatchObject({
      isError: true,
      content: [{ block: { case: "text", value: "there is nothing left" } }],
    });
  });

  test("says where its input is not valid", async () => {
    const input = z.object({ lines: z.array(z.object({ cents: z.number() })) });
    const { heard } = await serving("pay", { description: "Pays.", input }, () => "paid");
    heard.attempt(1n, "pay", '{"lines":[{"cents":"many"}]}');
    const result = await heard.result();

    expect(result.isError).toBe(true);
    expect(result.content[0]?.block.value).toMatch(/^the input is not valid: lines\.0\.cents: /);
  });

  test.each([
    ["text", "hi", [{ case: "text", value: "hi" }]],
    ["nothing", undefined, [{ case: "json", value: "null" }]],
    ["null", null, [{ case: "json", value: "null" }]],
    ["a bigint", { id: 2n ** 70n }, [{ case: "json", value: '{"id":1180591620717411303424}' }]],
    [
      "parts",
      content(
        { type: "text", text: "A dot." },
        { type: "image", mediaType: "image/png", data: new Uint8Array([1]) },
      ),
      [
        { case: "text", value: "A dot." },
        { case: "image", value: { mediaType: "image/png", data: expect.anything() } },
      ],
    ],
  ])("may return %s", async (_, output, blocks) => {
    const { heard } = await serving("give", ANY, () => output);
    heard.attempt(1n, "give", "{}");

    expect((await heard.result()).content.map(({ block }) => block)).toMatchObject(blocks);
  });

  test("tells how far it is, and is told what it runs for", async () => {
    const { heard } = await serving("copy", ANY, (_, context) => {
      context.progress({ done: 1, total: 1, message: "copied" });
      const { callId, attempt, idempotencyKey, inputText } = context;
      return { callId, attempt, idempotencyKey, inputText };
    });
    heard.attempt(7n, "copy", '{ "n": 1.50 }', { number: 2, idempotencyKey: "k" });
    const progress = await heard.next();
    const [block] = (await heard.result()).content;

    expect(progress).toMatchObject({
      case: "progress",
      value: { attemptId: 7n, done: 1, total: 1, message: "copied" },
    });
    expect(JSON.parse(String(block?.block.value))).toEqual({
      callId: "call-7",
      attempt: 2,
      idempotencyKey: "k",
      inputText: '{ "n": 1.50 }',
    });
  });

  test("that is cancelled is told so, and not answered", async () => {
    const reason = latch<unknown>();
    const { heard } = await serving("wait", ANY, async (input, { signal }) => {
      if (Object.hasOwn(input as object, "quick")) return "quick";
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      reason.settle(signal.reason);
      return "late";
    });
    heard.attempt(1n, "wait", "{}");
    heard.say({ case: "cancel", value: { attemptId: 1n } });
    expect(await reason.promise).toEqual(new Error("the call was cancelled"));
    heard.attempt(2n, "wait", '{"quick":true}');

    expect((await heard.result()).attemptId).toBe(2n);
  });

  test("that takes longer than its time is told so", async () => {
    const { heard } = await serving("wait", ANY, async (_, { signal }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      throw signal.reason;
    });
    heard.attempt(1n, "wait", "{}", { timeout: { seconds: 0n, nanos: 2e7 } });

    expect(await heard.result()).toMatchObject({
      isError: true,
      content: [{ block: { value: "the attempt's time is over" } }],
    });
  });
});

test("a function runs within the trace of its call", async () => {
  const key = Symbol.for("test.trace");
  const store = new AsyncLocalStorage<Context>();
  context.setGlobalContextManager({
    active: () => store.getStore() ?? ROOT_CONTEXT,
    with: (active, run, self, ...args) => store.run(active, () => run.call(self as never, ...args)),
    bind: (_context, target) => target,
    enable() {
      return this;
    },
    disable() {
      return this;
    },
  });
  propagation.setGlobalPropagator({
    inject: () => undefined,
    extract: (active, carrier, getter) => active.setValue(key, getter.get(carrier, "traceparent")),
    fields: () => ["traceparent"],
  });
  try {
    const { heard } = await serving("trace", ANY, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return String(context.active().getValue(key));
    });
    heard.attempt(1n, "trace", "{}", { context: { traceparent: "00-aa-bb-01" } });
    heard.attempt(2n, "trace", "{}", { context: { traceparent: "00-cc-dd-01" } });
    const traces = [await heard.result(), await heard.result()];

    expect(traces.map(({ content: [block] }) => block?.block.value)).toEqual([
      "00-aa-bb-01",
      "00-cc-dd-01",
    ]);
  } finally {
    context.disable();
    propagation.disable();
  }
});

describe("a worker", () => {
  test("answers a heartbeat at once", async () => {
    const { heard } = await serving("any", ANY, () => "");
    heard.say({ case: "heartbeat", value: {} });

    expect((await heard.next())?.case).toBe("heartbeat");
  });

  test("comes back when it was cut, and aborts what it ran", async () => {
    const begun = latch();
    const aborted = latch();
    const { heard, stream } = await serving("wait", ANY, async (_, { signal }) => {
      begun.settle();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      aborted.settle();
    });
    heard.attempt(1n, "wait", "{}");
    await begun.promise;
    heard.stream.emit("error", { code: status.UNAVAILABLE, details: "cut" });
    await aborted.promise;
    const again = await stream();

    expect((await again.hello()).tools.map(({ name }) => name)).toEqual(["wait"]);
  });

  test("comes back when nothing is heard of the server any more", async () => {
    const { sidecall, stream } = await server();
    const worker = sidecall.worker({ sessionId: "s" }).tool("any", ANY, () => "");
    opened.push(worker);
    const started = worker.start();
    const heard = await stream();
    heard.welcome(40);
    await started;

    expect((await (await stream()).hello()).sessionId).toBe("s");
  });

  test("that drains ends what it runs, and then the stream", async () => {
    const go = latch();
    const { worker, heard } = await serving("wait", ANY, async () => {
      await go.promise;
      return "done";
    });
    heard.attempt(1n, "wait", "{}");
    const drained = worker.drain();
    expect((await heard.next())?.case).toBe("drain");
    go.settle();

    expect((await heard.result()).attemptId).toBe(1n);
    expect(await heard.next()).toBeUndefined();
    heard.stream.end();
    await drained;
    await worker.closed;
  });

  test("ends what it runs when the server drains, and comes back to the next one", async () => {
    const { heard, stream } = await serving("any", ANY, () => "done");
    heard.attempt(1n, "any", "{}");
    heard.say({ case: "drain", value: {} });
    expect((await heard.result()).attemptId).toBe(1n);
    expect(await heard.next()).toBeUndefined();
    heard.stream.end();

    await (await stream()).hello();
  });

  test("that the server will not have is told why, and does not come back", async () => {
    const { sidecall, stream } = await server();
    const worker = sidecall.worker({ sessionId: "s" }).tool("taken", ANY, () => "");
    const started = worker.start().catch((error: unknown) => error);
    (await stream()).stream.emit("error", refusal(status.INVALID_ARGUMENT, "INVALID") as never);

    expect(await started).toBeInstanceOf(RefusedError);
    await expect(worker.closed).rejects.toThrow(RefusedError);
  });

  test("without a server is told so", async () => {
    const nobody = new Sidecall({ address: "unix:///nowhere/s.sock", connectTimeoutMs: 50 });
    const worker = nobody.worker({ shared: true }).tool("any", ANY, () => "");

    await expect(worker.start()).rejects.toThrow(UnreachableError);
  });

  test("that contradicts itself is refused before anything is sent", async () => {
    const { sidecall } = await server();
    expect(() => sidecall.worker({})).toThrow(OptionsError);
    expect(() => sidecall.worker({ shared: true, sessionId: "s" })).toThrow(OptionsError);
    const worker = sidecall.worker({ sessionId: "s" });
    expect(() => worker.tool("a", { description: "", input: z.string() }, () => "")).toThrow(
      "no object",
    );
    worker.tool("a", ANY, () => "");
    expect(() => worker.tool("a", ANY, () => "")).toThrow("already");
    await expect(sidecall.worker({ sessionId: "s" }).start()).rejects.toThrow("offers nothing");
  });
});
