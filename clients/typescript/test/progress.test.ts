import { expect, test } from "vitest";

import type { BatchEvent, CallResult } from "../src/index.js";
import { showProgress } from "../src/index.js";

const TIMINGS = {
  blockedMs: 0,
  lockedMs: 0,
  queuedMs: 0,
  throttledMs: 0,
  backingOffMs: 0,
  runningMs: 0,
};

function result(index: number, tool: string, code?: "tool_error"): BatchEvent {
  const failure = code && {
    code,
    origin: "backend",
    retry: "never",
    message: "",
    attempts: 1,
    retryAfterMs: undefined,
  };
  const outcome = code ? "failed" : "succeeded";
  const timings = { ...TIMINGS, runningMs: 1234 };
  return {
    type: "result",
    result: { index, tool, outcome, failure, timings } as unknown as CallResult,
  };
}

const EVENTS: BatchEvent[] = [
  {
    type: "accepted",
    batchId: "b",
    plan: { calls: [{ tool: "read" }, { tool: "write\u001b[2J" }] } as never,
  },
  { type: "started", callId: "a", index: 0, attempt: 2, atMs: 0, timings: TIMINGS },
  { type: "progress", callId: "b", index: 1, done: 1, total: 4, message: "of\nfour" },
  result(0, "read"),
  result(1, "write", "tool_error"),
];

async function drawn(isTTY: boolean): Promise<string[]> {
  const written: string[] = [];
  const passed: BatchEvent[] = [];
  const events = (async function* () {
    yield* EVENTS;
  })();
  const output = { isTTY, columns: 60, write: (text: string) => written.push(text) };
  for await (const event of showProgress(events, output)) passed.push(event);
  expect(passed).toEqual(EVENTS);
  return written;
}

test("a terminal is drawn over", async () => {
  const written = await drawn(true);

  expect(written[0]).not.toContain("\u001b[3A");
  expect(written[1]?.startsWith("\u001b[3A\u001b[2K")).toBe(true);
  expect(written[1]).toContain(" read: runs, attempt 2\n");
  expect(written[2]).toContain("write [2J: 25 % of four\n");
  expect(written.at(-1)).toContain("✓ read, 1.2 s\n");
  expect(written.at(-1)).toContain("✗ write: tool_error, 1.2 s\n");
  expect(written.at(-1)).toContain("2 of 2 calls");
});

test("anything else gets a line for each result", async () => {
  expect(await drawn(false)).toEqual(["✓ read, 1.2 s\n", "✗ write: tool_error, 1.2 s\n"]);
});
