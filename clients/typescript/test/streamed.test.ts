/** Turns that are streamed, and the real program. */

import { expect, test } from "vitest";

import type { Sidecall } from "../src/index.js";
import type { Upstream } from "./support/sidecar.js";
import { inWorld } from "./support/world.js";

let upstream: Upstream;
let sidecall: Sidecall;

inWorld((world) => {
  ({ upstream, sidecall } = world);
});

/** What Anthropic's stream has of one call. */
function* written(index: number, name: string, input: string) {
  const content_block = { type: "tool_use", id: `toolu_${index}`, name, input: {} };
  yield { type: "content_block_start", index, content_block };
  for (const partial_json of input.split(/(?<=,)/)) {
    yield { type: "content_block_delta", index, delta: { type: "input_json_delta", partial_json } };
  }
  yield { type: "content_block_stop", index };
}

test("a call that reads runs before the commit, one that writes after it", async () => {
  const turn = sidecall.stream<"anthropic">({ references: true });
  turn.feed({ type: "message_start", message: {} });
  const read = upstream.next("/user");
  for (const event of written(1, "save", '{"value":123456789012345678901234}')) turn.feed(event);
  for (const event of written(2, "get_user", '{"id":1}')) turn.feed(event);
  await read;
  expect(upstream.asked.map(({ path }) => path)).toEqual(["/user"]);
  for (const event of written(3, "list_orders", '{"user":"${get_user.name}"}')) turn.feed(event);
  const { content, summary, plan, broken } = await turn.commit();

  expect(broken).toBeUndefined();
  expect(summary).toMatchObject({ calls: 3, succeeded: 3 });
  expect(content.map((block) => block.tool_use_id)).toEqual(["toolu_1", "toolu_2", "toolu_3"]);
  expect(upstream.asked.find(({ path }) => path === "/save")?.body).toBe(
    '{"value":123456789012345678901234}',
  );
  expect(upstream.asked.find(({ path }) => path === "/orders")?.query.get("user")).toBe("mara");
  expect(plan).toBeDefined();
});

test("a turn that is discarded runs nothing that waited, and stops what ran", async () => {
  upstream.handle(() => undefined);
  const reading = upstream.next("/user");
  {
    await using turn = sidecall.stream<"anthropic">();
    for (const event of written(0, "save", "{}")) turn.feed(event);
    for (const event of written(1, "get_user", '{"id":1}')) turn.feed(event);
    await reading;
  }
  await (await reading).closed;

  expect(upstream.asked.map(({ path }) => path)).toEqual(["/user"]);
});

test("chunks of Chat Completions come back as tool messages", async () => {
  const turn = sidecall.stream<"openai_chat">();
  const chunk = (delta: object, finish_reason: string | null = null) =>
    turn.feed({ object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }] });
  const call = {
    index: 0,
    id: "functions.save:0",
    type: "function",
    function: { name: "save", arguments: "" },
  };
  chunk({ role: "assistant", content: null, tool_calls: [call] });
  chunk({ tool_calls: [{ index: 0, function: { arguments: '{"value":1.50}' } }] });
  chunk({}, "tool_calls");
  const { messages } = await turn.commit();

  expect(messages).toMatchObject([{ role: "tool", tool_call_id: "functions.save:0" }]);
  expect(upstream.asked[0]?.body).toBe('{"value":1.50}');
});

test("a turn whose fault comes late is refused, and says what is wrong", async () => {
  const turn = sidecall.stream<"anthropic">();
  for (const event of written(0, "save", '{"value":1}')) turn.feed(event);
  const [, ...rest] = written(1, "save", '{"value":2}');
  const content_block = { type: "tool_use", id: "toolu_0", name: "save", input: {} };
  turn.feed({ type: "content_block_start", index: 1, content_block });
  for (const event of rest) turn.feed(event);

  await expect(turn.commit()).rejects.toMatchObject({
    name: "RefusedError",
    reason: "INVALID",
    violations: [{ field: expect.any(String), description: expect.any(String) }],
  });
  expect(upstream.asked).toEqual([]);
});
