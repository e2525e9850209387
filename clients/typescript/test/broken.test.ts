import { type Channel, Client, connectivityState, status } from "@grpc/grpc-js";
import { afterEach, describe, expect, test, vi } from "vitest";

import { AbortedError, RefusedError, Sidecall, UnreachableError } from "../src/index.js";
import { delayMs } from "../src/resend.js";
import { Effect, Outcome, Source } from "../src/wire/sidecall/v1/sidecall_pb.js";
import { type Executing, Peer, refusal, tell } from "./support/peer.js";
import { Sidecar, Upstream } from "./support/sidecar.js";

const opened: { close(): void }[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

async function scripted(executeBatch: (call: Executing, sent: number) => void) {
  const requests: Executing["request"][] = [];
  const peer = await Peer.start({
    executeBatch: (call: Executing) => {
      requests.push(call.request);
      executeBatch(call, requests.length);
    },
  });
  const sidecall = new Sidecall({ address: peer.address });
  opened.push(sidecall, { close: () => peer.kill() });
  return { peer, sidecall, requests };
}

const TOOLS: [string, Effect][] = [
  ["done", Effect.AT_MOST_ONCE],
  ["read", Effect.READ_ONLY],
  ["keyed", Effect.KEYED],
  ["write", Effect.AT_MOST_ONCE],
  ["again", Effect.AT_LEAST_ONCE],
];
const CALLS = TOOLS.map(([name], index) => ({
  type: "tool_use",
  id: `t${index}`,
  name,
  input: {},
}));

function accept(call: Executing): void {
  const calls = TOOLS.map(([tool, effect], index) => ({ callId: `t${index}`, tool, effect }));
  tell(call, {
    case: "accepted",
    value: { batchId: call.request.batchId, plan: { calls } } as never,
  });
}

function finishFirst(call: Executing): void {
  const result = {
    callId: "t0",
    tool: "done",
    index: 0,
    outcome: Outcome.SUCCEEDED,
    source: Source.EXECUTED,
    content: [{ block: { case: "text", value: "was done" } }],
  };
  tell(call, { case: "callFinished", value: { result } as never });
}

function refuse(call: Executing, error: object): void {
  call.emit("error", error);
}

function end(call: Executing): void {
  tell(call, { case: "batchFinished", value: { summary: { calls: 0 } } as never });
  call.end();
}

describe("a turn is sent again", () => {
  test("under the same id, when its refusal is proven", async () => {
    const { sidecall, requests } = await scripted((call, sent) => {
      if (sent < 3) return refuse(call, refusal(status.RESOURCE_EXHAUSTED, "EXHAUSTED", 1));
      accept(call);
      return end(call);
    });
    await sidecall.execute(CALLS);

    expect(requests).toHaveLength(3);
    expect(new Set(requests.map(({ batchId }) => batchId)).size).toBe(1);
    expect(requests[0]?.batchId).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-/,
    );
  });

  /** A sidecar that goes between the look at the connection and the sending. */
  async function goes(then: (sidecar: Sidecar) => void, connectTimeoutMs: number) {
    const upstream = await Upstream.start();
    const sidecar = new Sidecar(upstream);
    const channels = vi.spyOn(Client.prototype, "getChannel");
    let isArmed = false;
    const bearer = async () => {
      if (isArmed) {
        isArmed = false;
        await sidecar.kill();
        const channel = channels.mock.results[0]?.value as Channel;
        const { READY } = connectivityState;
        await vi.waitUntil(() => channel.getConnectivityState(false) !== READY, 10_000);
        then(sidecar);
      }
      return "token";
    };
    const sidecall = new Sidecall({ address: sidecar.address, bearer, connectTimeoutMs });
    opened.push(sidecall, { close: () => void sidecar.stop() }, upstream);
    opened.push({ close: () => channels.mockRestore() });
    sidecar.start();
    await sidecall.status();
    isArmed = true;
    return sidecall.execute([{ type: "tool_use", id: "t0", name: "get_user", input: { id: "u" } }]);
  }

  test("when its connection went just before, and another stands", async () => {
    const turn = await goes((sidecar) => sidecar.start(), 15_000);

    expect(turn.broken).toBeUndefined();
    expect(turn.results.map(({ outcome }) => outcome)).toEqual(["succeeded"]);
  });

  test("never when its connection went just before, and nobody comes back", async () => {
    await expect(goes(() => undefined, 2000)).rejects.toThrow(UnreachableError);
  });

  test("never without RetryInfo", async () => {
    const { sidecall, requests } = await scripted((call) =>
      refuse(call, refusal(status.RESOURCE_EXHAUSTED, "TOO_LARGE")),
    );

    await expect(sidecall.execute(CALLS)).rejects.toThrow(RefusedError);
    expect(requests).toHaveLength(1);
  });

  test("never after the batch was accepted", async () => {
    const { sidecall, requests } = await scripted((call) => {
      accept(call);
      refuse(call, refusal(status.UNAVAILABLE, "DRAINING", 1));
    });
    const turn = await sidecall.execute(CALLS);

    expect(turn.broken).toBeDefined();
    expect(requests).toHaveLength(1);
  });

  test("never when the connection breaks", async () => {
    const { sidecall, peer, requests } = await scripted(() => peer.kill());
    const turn = await sidecall.execute(CALLS, { shape: "anthropic" });

    expect(requests).toHaveLength(1);
    expect(turn.results.map(({ failure }) => failure?.code)).toEqual(
      Array(5).fill("outcome_unknown"),
    );
    expect(turn.content.map((block) => block.tool_use_id)).toEqual(CALLS.map(({ id }) => id));
  });

  test("only within its time", async () => {
    const { sidecall, requests } = await scripted((call) =>
      refuse(call, refusal(status.UNAVAILABLE, "DRAINING", 60_000)),
    );
    const error = await sidecall
      .execute(CALLS, { timeoutMs: 5000 })
      .catch((error: unknown) => error);

    expect(error).toMatchObject({ reason: "DRAINING", retryAfterMs: 60_000 });
    expect(requests).toHaveLength(1);
  });

  test("not any more once it is aborted", async () => {
    const controller = new AbortController();
    const { sidecall, requests } = await scripted((call) => {
      refuse(call, refusal(status.UNAVAILABLE, "DRAINING", 1000));
      setImmediate(() => controller.abort());
    });
    const error = await sidecall
      .execute(CALLS, { signal: controller.signal })
      .catch((error: unknown) => error);

    expect(error).toBeInstanceOf(AbortedError);
    expect(requests).toHaveLength(1);
  });

  test("later each time, and never before the server wants it", () => {
    expect(delayMs(1, 300, 1e9, 0)).toBe(300);
    expect(delayMs(1, 300, 1e9, 0.5)).toBe(350);
    expect(delayMs(3, 0, 1e9, 0.5)).toBe(200);
    expect(delayMs(40, 0, 1e9, 0.5)).toBe(2500);
    expect(delayMs(1, 300, 300, 0)).toBeUndefined();
  });
});

describe("a server that is lost mid-batch", () => {
  test("leaves what may have run unknown, and keeps what came", async () => {
    const { sidecall, peer } = await scripted((call) => {
      accept(call);
      finishFirst(call);
    });
    const events: string[] = [];
    for await (const event of sidecall.events(CALLS, { shape: "anthropic" })) {
      events.push(event.type);
      if (event.type === "result") peer.kill();
      if (event.type !== "finished") continue;
      const { turn } = event;
      expect(turn.broken?.message).toContain("outcome_unknown");
      expect(turn.results.map(({ failure }) => failure?.code)).toEqual([
        undefined,
        "unavailable",
        "unavailable",
        "outcome_unknown",
        "outcome_unknown",
      ]);
      expect(turn.results.map(({ isClientMade }) => isClientMade)).toEqual([
        false,
        true,
        true,
        true,
        true,
      ]);
      expect(turn.content[0]).toEqual({
        type: "tool_result",
        tool_use_id: "t0",
        content: [{ type: "text", text: "was done" }],
      });
      expect(turn.content.slice(1).map((block) => block.is_error)).toEqual(Array(4).fill(true));
      expect(turn.summary).toMatchObject({ calls: 5, succeeded: 1, failed: 4 });
    }

    expect(events).toEqual(["accepted", "result", "finished"]);
  });

  test("and hangs costs no more than the turn's time", async () => {
    const { sidecall } = await scripted((call) => {
      accept(call);
      finishFirst(call);
    });
    const turn = await sidecall.execute(CALLS, { timeoutMs: 1500 });

    expect(turn.results.map(({ failure }) => failure?.code)).toEqual([
      undefined,
      "deadline_exceeded",
      "deadline_exceeded",
      "outcome_unknown",
      "outcome_unknown",
    ]);
  });

  test("is the real one, killed", async () => {
    const upstream = await Upstream.start();
    const sidecar = new Sidecar(upstream);
    opened.push(upstream);
    upstream.handle((asked) => {
      if (asked.path === "/user") asked.answer({ id: 1 });
    });
    sidecar.start();
    const sidecall = new Sidecall({ address: sidecar.address });
    opened.push(sidecall);
    const calls = ["get_user", "save", "pay", "list_orders"].map((name, index) => ({
      type: "tool_use",
      id: `t${index}`,
      name,
      input: { id: 1, value: 1, user: "u" },
    }));
    for await (const event of sidecall.events(calls, { shape: "anthropic" })) {
      if (event.type === "result" && event.result.tool === "get_user") void sidecar.kill();
      if (event.type !== "finished") continue;
      const codes = event.turn.results.map(({ failure }) => failure?.code);
      expect(codes).toEqual([undefined, "outcome_unknown", "unavailable", "unavailable"]);
      expect(event.turn.content.map((block) => block.tool_use_id)).toEqual([
        "t0",
        "t1",
        "t2",
        "t3",
      ]);
    }
    // The next turn finds the next process.
    await sidecar.kill();
    sidecar.start();
    upstream.handle((asked) => asked.answer({}));
    const turn = await sidecall.execute(calls.slice(0, 1));
    await sidecar.stop();

    expect(turn.summary.succeeded).toBe(1);
  });
});

test("killed at whatever moment, N calls in are N results out, and no write is made twice", async () => {
  const upstream = await Upstream.start();
  const sidecar = new Sidecar(upstream);
  opened.push(upstream, { close: () => void sidecar.stop() });
  const names = ["get_user", "save", "pay", "list_orders", "save"];
  upstream.handle((asked) => asked.answer({ path: asked.path }));
  const ids = names.map((_, index) => `t${index}`);
  for (let moment = 0; moment <= 10; moment += 1) {
    const calls = names.map((name, index) => ({
      type: "tool_use",
      id: `t${index}`,
      name,
      // A request of the moment before may be read as late as now.
      input: { id: 1, value: `${moment}/${index}`, user: "u" },
    }));
    sidecar.start();
    const sidecall = new Sidecall({ address: sidecar.address });
    await sidecall.status();
    let seen = 0;
    if (moment === 0) void sidecar.kill();
    try {
      for await (const event of sidecall.events(calls, { shape: "anthropic" })) {
        seen += 1;
        if (seen === moment) void sidecar.kill();
        if (event.type !== "finished") continue;
        const { results, content, summary } = event.turn;
        expect(results.map(({ callId }) => callId)).toEqual(ids);
        expect(content.map((block) => block.tool_use_id)).toEqual(ids);
        expect(summary.succeeded).toBe(results.filter(({ isError }) => !isError).length);
        for (const { tool, failure } of results) {
          // What changes something is never called safe to make again.
          if (tool === "save" && failure) expect(failure.code).toBe("outcome_unknown");
        }
      }
    } catch (error) {
      // It was gone before anything was sent, which is proven.
      if (moment > 0 || !(error instanceof UnreachableError)) throw error;
    }
    sidecall.close();
    await sidecar.kill();
  }
  const saved = upstream.asked.filter(({ path }) => path === "/save").map(({ body }) => body);
  expect(new Set(saved).size).toBe(saved.length);
});

test("a caller that asks for too much of a time is told at once", async () => {
  const { sidecall, requests } = await scripted(end);

  await expect(sidecall.execute(CALLS, { timeoutMs: 0 })).rejects.toThrow("timeoutMs is 0");
  await expect(sidecall.execute(CALLS, { callTimeoutMs: Number.NaN })).rejects.toThrow(
    "callTimeoutMs",
  );
  expect(requests).toEqual([]);
});
