import { describe, expect, test } from "vitest";

import { Sidecall } from "../src/index.js";
import { turnHandler } from "../src/next.js";
import { readTurn, type StreamedEvent } from "../src/read.js";
import type { Upstream } from "./support/sidecar.js";
import { inWorld } from "./support/world.js";

let upstream: Upstream;
let sidecall: Sidecall;

inWorld((world) => {
  ({ upstream, sidecall } = world);
});

const TURN = [{ type: "tool_use", id: "t0", name: "save", input: { value: 1 } }];

function posted(body: string, signal?: AbortSignal): Request {
  return new Request("http://localhost/turn", { method: "POST", body, signal: signal ?? null });
}

describe("a turn that is posted", () => {
  test("streams what happens, and ends with the turn", async () => {
    const handler = turnHandler(sidecall, { authorize: () => ({ sessionId: "s" }) });
    const response = await handler(posted(JSON.stringify(TURN)));

    expect(response.headers.get("content-type")).toContain("text/event-stream");
    const events: StreamedEvent[] = [];
    for await (const event of readTurn(response)) events.push(event);
    expect(events.map(({ type }) => type)).toEqual(["accepted", "started", "result", "finished"]);
    const last = events.at(-1);
    expect(last?.type === "finished" && last.turn.messages).toMatchObject([
      { role: "user", content: [{ tool_use_id: "t0" }] },
    ]);
  });

  test("reaches the tools byte for byte", async () => {
    const handler = turnHandler(sidecall, { authorize: () => ({}) });
    const asked = upstream.next("/save");
    const body = JSON.stringify(TURN).replace('"value":1', '"value":12345678901234567890123');
    await (await handler(posted(body))).text();

    expect((await asked).body).toBe('{"value":12345678901234567890123}');
  });

  test("by someone who may not is not run", async () => {
    const handler = turnHandler(sidecall, {
      authorize: () => new Response("who are you?", { status: 401 }),
    });
    const response = await handler(posted(JSON.stringify(TURN)));

    expect(response.status).toBe(401);
    expect(upstream.asked).toEqual([]);
  });

  test("is cancelled when nobody reads any more", async () => {
    const handler = turnHandler(sidecall, { authorize: () => ({}) });
    const held = upstream.next("/save");
    upstream.handle(() => undefined);
    const response = await handler(posted(JSON.stringify(TURN)));
    const { closed } = await held;
    await response.body?.cancel();

    await closed;
  });

  test("that is too long is refused unread", async () => {
    const handler = turnHandler(sidecall, { authorize: () => ({}), bodyBytesMax: 16 });

    expect((await handler(posted(JSON.stringify(TURN)))).status).toBe(413);
  });

  test.each([
    ["no JSON", "x", 400, "UNKNOWN_SHAPE"],
    ["of no shape", "{}", 400, "UNKNOWN_SHAPE"],
    ["invalid", JSON.stringify([...TURN, ...TURN]), 400, "INVALID"],
  ])("that is %s is a status, and says why", async (_, body, status, reason) => {
    const handler = turnHandler(sidecall, { authorize: () => ({}) });
    const response = await handler(posted(body));

    expect(response.status).toBe(status);
    await expect(readTurn(response).next()).rejects.toMatchObject({ status, reason });
  });

  test("while the server is away says no more than that", async () => {
    const away = new Sidecall({ address: "unix:///secret/s.sock", connectTimeoutMs: 50 });
    const response = await turnHandler(away, { authorize: () => ({}) })(
      posted(JSON.stringify(TURN)),
    );

    expect(response.status).toBe(503);
    expect(await response.text()).not.toContain("secret");
  });
});
