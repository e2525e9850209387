/** Who calls: a real server whose `callers` have tokens. */

import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { type Bearer, RefusedError, Sidecall, SidecallError } from "../src/index.js";
import { Sidecar, Upstream } from "./support/sidecar.js";

const RIGHT = "the-token-of-the-agent";
const NEXT = "the-next-token-of-the-agent";
const WRONG = "no-token-of-the-agent";
const TURN = [{ type: "tool_use", id: "t1", name: "get_user", input: { id: "u-7" } }];

function callers(...tokens: string[]): string {
  const known = tokens.map(
    (token) => `{sha256: ${createHash("sha256").update(token).digest("hex")}}`,
  );
  return `callers: {allowed: {agent: {token: [${known.join(", ")}], admin: on}}}\n`;
}

let upstream: Upstream;
let folder: string;
beforeAll(async () => {
  upstream = await Upstream.start();
  folder = mkdtempSync(join(tmpdir(), "sidecall-tokens-"));
});
afterAll(() => {
  upstream.close();
  rmSync(folder, { recursive: true });
});

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

function started(...tokens: string[]): Sidecar {
  const sidecar = new Sidecar(upstream, callers(...tokens));
  sidecar.start();
  opened.push({ close: () => sidecar.stop() });
  return sidecar;
}

function client(sidecar: Sidecar, bearer: Bearer | undefined): Sidecall {
  const sidecall = new Sidecall({ address: sidecar.address, bearer });
  opened.push(sidecall);
  return sidecall;
}

/** As a Secret is renewed: another file in its place. */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function offering(sidecall: Sidecall, told: Error[] = []) {
  const worker = sidecall.worker({ sessionId: "s", onError: (error) => told.push(error) });
  worker.tool("price", { description: "A price.", input: { type: "object" } }, () => "42");
  opened.push(worker);
  return worker;
}

describe("a token", () => {
  test("that is right lets a turn run, wherever it stands", async () => {
    const sidecar = started(RIGHT);
    const path = file("right", `${RIGHT}\n`);
    for (const bearer of [RIGHT, `${RIGHT}\n`, { file: path }, async () => RIGHT]) {
      const { results } = await client(sidecar, bearer).execute(TURN, { shape: "anthropic" });
      expect(results[0]?.isError).toBe(false);
    }
  });

  test.each<[string, Bearer | undefined]>([
    ["is wrong", WRONG],
    ["is not shown", undefined],
    ["is empty", () => ""],
  ])("that %s is refused, and nothing runs", async (_, bearer) => {
    const sidecar = started(RIGHT);
    const before = upstream.asked.length;
    const sidecall = client(sidecar, bearer);
    for (const asked of [
      () => sidecall.execute(TURN, { shape: "anthropic" }),
      () => sidecall.plan(TURN, { shape: "anthropic" }),
      () => sidecall.listTools(),
      () => sidecall.status(),
      () => offering(sidecall).start(),
    ]) {
      const error = await asked().then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(error).toBeInstanceOf(RefusedError);
      expect(error).toMatchObject({ reason: "UNAUTHENTICATED", status: "UNAUTHENTICATED" });
      expect(String(error)).toContain("set `bearer`");
      expect(String(error)).not.toContain(WRONG);
    }
    expect(upstream.asked).toHaveLength(before);
  });

  test("whose file cannot be read is said, and nothing is sent", async () => {
    const sidecar = started(RIGHT);
    for (const path of [join(folder, "missing"), file("empty", "\n")]) {
      const sent = client(sidecar, { file: path }).execute(TURN, { shape: "anthropic" });
      await expect(sent).rejects.toThrow(SidecallError);
      await expect(sent).rejects.toThrow(path);
      await expect(sent).rejects.toThrow("nothing was sent");
    }
  });

  test("that is renewed needs no new client", async () => {
    const sidecar = started(RIGHT, NEXT);
    const path = file("renewed", RIGHT);
    const fixed = client(sidecar, RIGHT);
    const renewed = client(sidecar, { file: path });
    const told: Error[] = [];
    const worker = offering(renewed, told);
    await worker.start();
    await fixed.status();

    replace(path, `${NEXT}\n`);
    const config = readFileSync(sidecar.config, "utf8");
    replace(sidecar.config, config.replace(callers(RIGHT, NEXT), callers(NEXT)));
    const isKnown = () =>
      fixed.status().then(
        () => true,
        () => false,
      );
    while (await isKnown());
    await renewed.status();

    // The worker came with the old one: it is sent away, and comes back with the new one.
    await expect.poll(() => told).toMatchObject([{ reason: "UNAUTHENTICATED" }]);
    const priced = [{ type: "tool_use", id: "t1", name: "price", input: {} }];
    const price = () => renewed.execute(priced, { shape: "anthropic", sessionId: "s" });
    await expect
      .poll(async () => (await price()).results[0]?.isError, { timeout: 20_000 })
      .toBe(false);
  });
});
