/** What a worker makes of functions and servers that behave badly. */

import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";

import { content, RefusedError } from "../src/index.js";
import { refusal } from "./support/peer.js";
import { ANY, latch, serving, servingWith } from "./support/serving.js";

const circle: { self?: unknown } = {};
circle.self = circle;

describe("what a function throws is an answer, whatever it is:", () => {
  const sly = {
    toJSON() {
      throw new Error("not this one");
    },
  };
  const mute = Object.assign(Object.create(null) as object, { sly });
  test.each<[string, unknown, RegExp]>([
    ["a circle", circle, /^\[object Object\]$/],
    ["one whose toJSON throws", sly, /^\[object Object\]$/],
    ["one without words", mute, /has no words$/],
    ["a symbol", Symbol("s"), /^Symbol\(s\)$/],
    ["nothing", undefined, /^undefined$/],
    ["an error of many words", new Error("x".repeat(100_000)), /^x{8192}$/],
  ])("%s", async (_, thrown, words) => {
    const { heard } = await serving("fail", ANY, (input) => {
      if (Object.hasOwn(input as object, "fine")) return "fine";
      throw thrown;
    });
    heard.attempt(1n, "fail", "{}");
    const { isError, content: blocks } = await heard.result();
    heard.attempt(2n, "fail", '{"fine":true}');

    expect(isError).toBe(true);
    expect(blocks[0]?.block.value).toMatch(words);
    expect(await heard.result()).toMatchObject({ attemptId: 2n, isError: false });
  });
});

describe("a result that no stream takes costs one call, and not the worker:", () => {
  const part = (given: object) => content(given as Parameters<typeof content>[0]);
  test.each<[string, unknown, RegExp]>([
    [
      "an image of text",
      part({ type: "image", mediaType: "image/png", data: "dGV4dA==" }),
      /Uint8Array/,
    ],
    [
      "a document without its type",
      part({ type: "document", data: new Uint8Array() }),
      /mediaType/,
    ],
    ["a text without text", part({ type: "text" }), /`text` of a text/],
    ["a link to nowhere", part({ type: "link" }), /`uri` of a link/],
    ["a part of no kind", part({ type: "video" }), /no `type` that is known/],
    ["NaN", Number.NaN, /^NaN is no JSON/],
    ["infinity within", { a: [{ b: Number.POSITIVE_INFINITY }] }, /^Infinity at "b" is no JSON/],
    ["a function", () => 1, /^a function is no JSON/],
    ["a symbol", Symbol("s"), /^a symbol is no JSON/],
    ["a Map", new Map([[1, 2]]), /^a Map is no JSON/],
    ["a Set within, beside a bigint", { big: 1n, all: new Set([1]) }, /^a Set at "all" is no JSON/],
    ["bytes within", { bytes: new Uint8Array(2) }, /^a Uint8Array at "bytes" is no JSON/],
    ["a circle", circle, /circular/],
    [
      "40 MiB",
      "x".repeat(40 << 20),
      /^give gave 4194\d+ bytes, and .* at most 8388608: ask for less$/,
    ],
  ])("%s", async (_, output, words) => {
    const { heard } = await serving("give", ANY, (input) =>
      Object.hasOwn(input as object, "fine") ? "fine" : output,
    );
    heard.attempt(1n, "give", "{}");
    const { isError, content: blocks } = await heard.result();
    heard.attempt(2n, "give", '{"fine":true}');

    expect(blocks[0]?.block.value).toMatch(words);
    expect(isError).toBe(true);
    expect(await heard.result()).toMatchObject({ attemptId: 2n, isError: false });
  });
});

describe("a worker", () => {
  test("that is refused when it comes back says so once, and goes on trying", async () => {
    const told: Error[] = [];
    const onError = (error: Error) => {
      told.push(error);
      throw new Error("whoever is told fails");
    };
    const { worker, heard, stream } = await servingWith({ onError }, "any", ANY, () => "");
    heard.stream.emit("error", { code: status.UNAVAILABLE, details: "cut" });
    for (let count = 0; count < 2; count += 1) {
      (await stream()).stream.emit("error", refusal(status.INVALID_ARGUMENT, "INVALID") as never);
    }
    const again = await stream();
    await again.hello();
    again.welcome();
    again.attempt(1n, "any", "{}");

    expect((await again.result()).attemptId).toBe(1n);
    expect(told).toEqual([expect.any(RefusedError)]);
    expect(told[0]).toMatchObject({ reason: "INVALID" });
    worker.close();
    await worker.closed;
  });

  test("that drains waits no longer than it is told to", async () => {
    const begun = latch();
    const aborted = latch();
    const { worker, heard } = await serving("hang", ANY, (_, { signal }) => {
      signal.addEventListener("abort", () => aborted.settle());
      begun.settle();
      return new Promise(() => undefined);
    });
    heard.attempt(1n, "hang", "{}");
    await begun.promise;
    await worker.drain({ timeoutMs: 200 });

    await aborted.promise;
    await worker.closed;
  });
});
