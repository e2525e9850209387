import { describe, expect, test } from "vitest";

import { AbortedError, RefusedError, Sidecall, UnreachableError } from "../src/index.js";
import type { Upstream } from "./support/sidecar.js";
import { inWorld } from "./support/world.js";

let upstream: Upstream;
let sidecall: Sidecall;

inWorld((world) => {
  ({ upstream, sidecall } = world);
});

function anthropic(...calls: [name: string, input: unknown][]) {
  return calls.map(([name, input], index) => ({
    type: "tool_use",
    id: `toolu_${index}`,
    name,
    input,
  }));
}

describe("a turn", () => {
  test("comes back as the next message, in call order", async () => {
    const turn = await sidecall.execute(
      { role: "assistant", content: anthropic(["get_user", { id: 1 }], ["save", { value: 2 }]) },
      { shape: "anthropic" },
    );

    expect(turn.messages).toEqual([{ role: "user", content: turn.content }]);
    expect(turn.content.map((block) => block.tool_use_id)).toEqual(["toolu_0", "toolu_1"]);
    expect(turn.content.map((block) => block.is_error)).toEqual([undefined, undefined]);
    expect(turn.results.map(({ tool, outcome, source }) => [tool, outcome, source])).toEqual([
      ["get_user", "succeeded", "executed"],
      ["save", "succeeded", "executed"],
    ]);
    expect(turn.results[0]?.timings.runningMs).toBeGreaterThan(0);
    expect(turn.summary).toMatchObject({ calls: 2, succeeded: 2, failed: 0 });
    expect(turn.plan?.calls.map((call) => call.effect)).toEqual(["read_only", "at_most_once"]);
    expect(turn.broken).toBeUndefined();
    expect(turn.texts.map((text) => JSON.parse(text))).toEqual(turn.content);
  });

  test("that fails in part has a result for each call", async () => {
    upstream.handle((asked) =>
      asked.path === "/save" ? asked.answer("no such thing", 404) : asked.answer({}),
    );
    const turn = await sidecall.execute(
      anthropic(["get_user", { id: 1 }], ["save", {}], ["nothing", {}]),
      { shape: "anthropic" },
    );

    expect(turn.content.map((block) => block.is_error)).toEqual([undefined, true, true]);
    expect(turn.results.map(({ failure }) => failure?.code)).toEqual([
      undefined,
      "tool_error",
      "unknown_tool",
    ]);
    expect(turn.results[1]?.failure).toMatchObject({ origin: "backend", attempts: 1 });
    expect(turn.results[2]?.failure?.message).toContain("nothing");
  });

  test("given as text reaches the tools byte for byte", async () => {
    const content =
      '[{"type":"tool_use","id":"a","name":"save","input":{"value":123456789012345678901234}},' +
      '{"type":"tool_use","id":"b","name":"save","input":{"value":{"price":1249.90}}}]';
    await sidecall.execute(
      `{"role": "assistant", "stop_reason": null, "type": "message", "content": ${content}}`,
    );

    expect(upstream.asked.map(({ body }) => body).sort()).toEqual([
      '{"value":123456789012345678901234}',
      '{"value":{"price":1249.90}}',
    ]);
  });

  test("may hold bigints", async () => {
    await sidecall.execute(anthropic(["save", { value: 123456789012345678901234n }]));

    expect(upstream.asked[0]?.body).toBe('{"value":123456789012345678901234}');
  });

  test("resolves references where it is asked to", async () => {
    upstream.handle((asked) => asked.answer(asked.path === "/user" ? { name: "mara" } : []));
    const calls = anthropic(["get_user", { id: 1 }], ["list_orders", { user: "${get_user.name}" }]);
    const turn = await sidecall.execute(calls, { references: true });

    expect(turn.summary.succeeded).toBe(2);
    expect(upstream.asked.map(({ query }) => query.get("user"))).toEqual([null, "mara"]);
    expect(turn.plan?.edges).toMatchObject([
      { from: 0, to: 1, kind: "reference", strength: "need" },
    ]);
  });

  test("without calls is not sent, and appends nothing", async () => {
    const nobody = new Sidecall({ address: "unix:///nowhere/s.sock" });
    const turn = await nobody.execute({
      type: "message",
      role: "assistant",
      stop_reason: "end_turn",
      content: [{ type: "text", text: "Done." }],
    });

    expect(turn.messages).toEqual([]);
    expect(turn.summary.calls).toBe(0);
  });

  test("whose results need several messages comes whole", async () => {
    const long = "wörter ".repeat(700_000);
    upstream.handle((asked) => asked.answer(asked.path === "/user" ? long : { ok: true }));
    const turn = await sidecall.execute(anthropic(["get_user", { id: 1 }], ["save", {}]), {
      shape: "anthropic",
    });

    const [first] = turn.results[0]?.content ?? [];
    expect(first?.type).toBe("text");
    expect(turn.content).toHaveLength(2);
    const [block] = turn.content[0]?.content ?? [];
    expect(first?.type === "text" && block?.type === "text" && block.text === first.text).toBe(
      true,
    );
  });
});

describe("events", () => {
  test("tell what happens, and end with the turn", async () => {
    const types: string[] = [];
    for await (const event of sidecall.events(anthropic(["get_user", { id: 1 }]), {
      shape: "anthropic",
    })) {
      types.push(event.type);
      if (event.type === "finished") expect(event.turn.content[0]?.tool_use_id).toBe("toolu_0");
    }

    expect(types).toEqual(["accepted", "started", "result", "finished"]);
  });

  test("that nobody reads any more cancel what is open", async () => {
    const held = upstream.next("/save");
    upstream.handle(() => undefined);
    for await (const event of sidecall.events(anthropic(["save", {}]))) {
      if (event.type !== "started") continue;
      await held;
      break;
    }

    await (await held).closed;
  });
});

describe("a turn that is aborted", () => {
  test("has a result for each call, the finished ones their own", async () => {
    upstream.handle((asked) => {
      if (asked.path === "/user") asked.answer({ id: 1 });
    });
    const controller = new AbortController();
    const events = sidecall.events(anthropic(["get_user", { id: 1 }], ["save", {}]), {
      shape: "anthropic",
      signal: controller.signal,
    });
    const error = await (async () => {
      for await (const event of events) {
        if (event.type === "result") {
          while (upstream.asked.length < 2) await upstream.next("/save");
          controller.abort(new Error("enough"));
        }
      }
    })().catch((error: unknown) => error);

    expect(error).toBeInstanceOf(AbortedError);
    const { name, turn, cause } = error as AbortedError;
    expect(name).toBe("AbortError");
    expect(cause).toEqual(new Error("enough"));
    expect(turn?.results.map(({ outcome }) => outcome)).toEqual([
      "succeeded",
      expect.not.stringMatching("succeeded"),
    ]);
    expect(turn?.results[1]?.failure?.code).toBe("outcome_unknown");
    expect(turn?.results[1]?.isClientMade).toBe(false);
    expect(turn?.content).toHaveLength(2);
  });

  test("before it was sent is not sent", async () => {
    const signal = AbortSignal.abort();
    const error = await sidecall
      .execute(anthropic(["save", {}]), { signal })
      .catch((e: unknown) => e);

    expect(error).toBeInstanceOf(AbortedError);
    expect((error as AbortedError).turn).toBeUndefined();
    expect(upstream.asked).toEqual([]);
  });
});

describe("a turn that is refused", () => {
  test("says what is wrong and where", async () => {
    const twice = [...anthropic(["save", {}]), ...anthropic(["save", {}])];
    const error = await sidecall.execute(twice).catch((error: unknown) => error);

    expect(error).toBeInstanceOf(RefusedError);
    expect(error).toMatchObject({ reason: "INVALID", status: "INVALID_ARGUMENT" });
    expect((error as RefusedError).violations[0]?.field).toContain("anthropic_json");
    expect((error as RefusedError).message).toContain("mend the request");
  });

  test("for its id names the batch's state", async () => {
    const calls = anthropic(["get_user", { id: 1 }]);
    await sidecall.execute(calls, { batchId: "once" });

    await expect(sidecall.execute(calls, { batchId: "once" })).rejects.toMatchObject({
      reason: "BATCH_FINISHED",
    });
  });

  test("by nobody at all was not sent", async () => {
    const nobody = new Sidecall({ address: "unix:///nowhere/s.sock", connectTimeoutMs: 50 });

    await expect(nobody.execute(anthropic(["save", {}]))).rejects.toThrow(UnreachableError);
    await expect(nobody.execute(anthropic(["save", {}]))).rejects.toThrow("/nowhere/s.sock");
  });
});

describe("a single request", () => {
  test("plans a turn without running it", async () => {
    const plan = await sidecall.plan(anthropic(["get_user", { id: 1 }], ["save", {}]));

    expect(plan.calls.map(({ tool, depth }) => [tool, depth])).toEqual([
      ["get_user", 0],
      ["save", 0],
    ]);
    expect(upstream.asked).toEqual([]);
  });

  test("lists the tools in a provider's shape", async () => {
    const list = await sidecall.listTools<{ name: string; input_schema: object }>({
      shape: "anthropic",
      references: true,
    });

    expect(list.definitions.map(({ name }) => name)).toEqual([
      "get_user",
      "list_orders",
      "pay",
      "save",
    ]);
    expect(list.tools.map(({ effect }) => effect)).toEqual([
      "read_only",
      "read_only",
      "keyed",
      "at_most_once",
    ]);
    expect(list.instructions).not.toBe("");
  });

  test("shows the moment", async () => {
    const status = await sidecall.status();

    expect(status.apis.map(({ name }) => name)).toEqual(["world"]);
    expect(status.process?.draining).toBe(false);
  });

  test("cancels a batch by its id", async () => {
    const held = upstream.next("/save");
    upstream.handle(() => undefined);
    const running = sidecall.execute(anthropic(["save", {}]), { batchId: "to-cancel" });
    await held;

    expect(await sidecall.cancel("to-cancel")).toEqual(["toolu_0"]);
    const turn = await running;
    expect(turn.results[0]?.failure?.code).toBe("outcome_unknown");
    expect(turn.broken).toBeUndefined();
  });
});
