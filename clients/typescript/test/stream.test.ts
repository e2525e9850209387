import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";

import { type BatchEvent, Sidecall, UnknownShapeError } from "../src/index.js";
import type {
  ExecuteStreamRequest,
  ExecuteStreamResponse,
} from "../src/wire/sidecall/v1/sidecall_pb.js";
import { Peer, refusal, tell } from "./support/peer.js";

type Stream = ServerDuplexStream<ExecuteStreamRequest, ExecuteStreamResponse>;
type Step = ExecuteStreamRequest["step"];

const opened: { close(): void }[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

/** A server that is told of each step of each stream. */
async function scripted(heard: (step: Step, stream: Stream, count: number) => void) {
  const streams: Step[][] = [];
  let cancel: () => void = () => undefined;
  const cancelled = new Promise<void>((resolve) => (cancel = resolve));
  const peer = await Peer.start({
    executeStream: (stream: Stream) => {
      const steps: Step[] = [];
      const count = streams.push(steps);
      stream.on("error", () => undefined);
      stream.on("cancelled", () => cancel());
      stream.on("data", ({ step }: ExecuteStreamRequest) => {
        steps.push(step);
        heard(step, stream, count);
      });
    },
  });
  const sidecall = new Sidecall({ address: peer.address });
  opened.push(sidecall, { close: () => peer.kill() });
  return { sidecall, streams, cancelled };
}

function accept(stream: Stream): void {
  tell(stream, { case: "accepted", value: { plan: {} } as never });
}

function finish(stream: Stream): void {
  const items = ['{"type":"tool_result","tool_use_id":"a"}'];
  tell(stream, { case: "bundlePart", value: { items } as never });
  tell(stream, { case: "batchFinished", value: { summary: { calls: 1 } } as never });
  stream.end();
}

const BEGIN = {
  type: "content_block_start",
  index: 0,
  content_block: { type: "tool_use", id: "a", name: "one", input: {} },
};
const PIECE = {
  type: "content_block_delta",
  index: 0,
  delta: { type: "input_json_delta", partial_json: "{}" },
};
const END = { type: "content_block_stop", index: 0 };

const cases = (steps: Step[] | undefined) => steps?.map((step) => step.case);
const ALL = ["open", "toolUseBegun", "inputFragment", "toolUseEnded", "commit"];

describe("a turn that is streamed", () => {
  test("is sent as it is written, and answered as any other", async () => {
    const { sidecall, streams } = await scripted((step, stream) => {
      if (step.case === "open") accept(stream);
      if (step.case === "commit") finish(stream);
    });
    const events: string[] = [];
    const turn = sidecall.stream<"anthropic">({
      sessionId: "s",
      references: true,
      onEvent: ({ type }: BatchEvent) => events.push(type),
    });
    for (const event of [{ type: "message_start" }, BEGIN, PIECE, END]) turn.feed(event);
    const { messages } = await turn.commit();

    expect(cases(streams[0])).toEqual(ALL);
    expect(streams[0]?.[0]).toMatchObject({ value: { sessionId: "s", references: 1, shape: 1 } });
    expect(messages).toEqual([
      { role: "user", content: [{ type: "tool_result", tool_use_id: "a" }] },
    ]);
    expect(events).toEqual(["accepted", "finished"]);
  });

  test("without calls is never sent", async () => {
    const { sidecall, streams } = await scripted(() => undefined);
    const turn = sidecall.stream();
    turn.feed({ type: "message_start" });
    turn.feed({ type: "message_stop" });

    expect((await turn.commit()).messages).toEqual([]);
    expect(streams).toEqual([]);
  });

  test("is sent anew when the server is lost before the commit", async () => {
    const { sidecall, streams } = await scripted((step, stream, count) => {
      if (step.case === "open") accept(stream);
      if (step.case === "toolUseBegun" && count === 1) {
        stream.emit("error", { code: status.UNAVAILABLE, details: "cut" });
      }
      if (step.case === "commit") finish(stream);
    });
    const turn = sidecall.stream<"anthropic">();
    turn.feed(BEGIN);
    while (streams.length < 2) await new Promise((resolve) => setImmediate(resolve));
    turn.feed(PIECE);
    turn.feed(END);
    const result = await turn.commit();

    expect(result.broken).toBeUndefined();
    expect(cases(streams[1])).toEqual(ALL);
    const ids = streams.map((steps) => steps[0]?.case === "open" && steps[0].value.batchId);
    expect(new Set(ids).size).toBe(2);
  });

  test("is not sent anew after the commit", async () => {
    const { sidecall, streams } = await scripted((step, stream) => {
      if (step.case === "open") accept(stream);
      if (step.case === "commit")
        stream.emit("error", { code: status.UNAVAILABLE, details: "cut" });
    });
    const turn = sidecall.stream<"anthropic">();
    for (const event of [BEGIN, PIECE, END]) turn.feed(event);
    const { broken, results, content } = await turn.commit();

    expect(broken).toBeDefined();
    expect(results.map(({ failure }) => failure?.code)).toEqual(["outcome_unknown"]);
    expect(content.map((block) => block.tool_use_id)).toEqual(["a"]);
    expect(streams).toHaveLength(1);
  });

  test("that is refused is sent again only where that is proven", async () => {
    const { sidecall, streams } = await scripted((step, stream, count) => {
      if (step.case === "open" && count === 1) {
        stream.emit("error", refusal(status.RESOURCE_EXHAUSTED, "EXHAUSTED", 1));
      } else if (step.case === "open") {
        stream.emit("error", refusal(status.INVALID_ARGUMENT, "INVALID"));
      }
    });
    const turn = sidecall.stream();
    turn.feed(BEGIN);

    await expect(turn.commit()).rejects.toMatchObject({ reason: "INVALID" });
    expect(streams).toHaveLength(2);
  });

  test("that is refused after it was accepted is refused, and not lost", async () => {
    const { sidecall, streams } = await scripted((step, stream) => {
      if (step.case === "open") accept(stream);
      if (step.case === "toolUseEnded") {
        stream.emit("error", refusal(status.INVALID_ARGUMENT, "INVALID"));
      }
    });
    const turn = sidecall.stream<"anthropic">();
    for (const event of [BEGIN, PIECE, END]) turn.feed(event);

    await expect(turn.commit()).rejects.toMatchObject({
      name: "RefusedError",
      reason: "INVALID",
    });
    expect(streams).toHaveLength(1);
  });

  test("is left when whoever is told of it fails", async () => {
    const { sidecall, cancelled } = await scripted((step, stream) => {
      if (step.case === "open") accept(stream);
    });
    const turn = sidecall.stream<"anthropic">({
      onEvent: () => {
        throw new Error("no screen");
      },
    });
    for (const event of [BEGIN, PIECE, END]) turn.feed(event);

    await expect(turn.commit()).rejects.toThrow("no screen");
    await cancelled;
  });

  test("is discarded when it is left by an exception", async () => {
    const { sidecall, streams, cancelled } = await scripted((step, stream) => {
      if (step.case === "open") accept(stream);
    });
    const left = (async () => {
      await using turn = sidecall.stream();
      turn.feed(BEGIN);
      while (streams.length === 0) await new Promise((resolve) => setImmediate(resolve));
      throw new Error("the model is gone");
    })();

    await expect(left).rejects.toThrow("the model is gone");
    await cancelled;
    expect(cases(streams[0])).not.toContain("commit");
  });

  test("takes nothing more once it is final", async () => {
    const { sidecall } = await scripted(() => undefined);
    const turn = sidecall.stream();
    turn.discard();

    expect(() => turn.feed(BEGIN)).toThrow("final");
    await expect(turn.commit()).rejects.toThrow("discarded already");
  });

  test("of nobody knows whom is refused", async () => {
    const { sidecall } = await scripted(() => undefined);

    expect(() => sidecall.stream().feed({ delta: "x" })).toThrow(UnknownShapeError);
  });
});
