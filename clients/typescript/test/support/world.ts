/** What most test files run against. */

import { afterAll, beforeAll, beforeEach } from "vitest";

import { Sidecall } from "../../src/index.js";
import { type Asked, Sidecar, Upstream } from "./sidecar.js";

/** An upstream, the program that calls it, and a client of that. */
export interface World {
  readonly upstream: Upstream;
  readonly sidecar: Sidecar;
  readonly sidecall: Sidecall;
}

/** An upstream that answers everything with what it was asked, and with a name. */
export function answering(asked: Asked): void {
  asked.answer({ path: asked.path, id: asked.query.get("id"), name: "mara" });
}

/** One that answers every request with a name, and saves nothing. */
export function withoutSaving(asked: Asked): void {
  if (asked.path === "/save") asked.answer("there is no such thing", 404);
  else asked.answer({ name: "mara" });
}

/**
 * Starts a world before the tests of a file, and ends it after them. Before each its
 * upstream forgets what it was asked, and answers like this.
 */
export function inWorld(take: (world: World) => void, upstream = answering): void {
  let world: World;

  beforeAll(async () => {
    const started = await Upstream.start();
    const sidecar = new Sidecar(started);
    sidecar.start();
    const sidecall = new Sidecall({ address: sidecar.address });
    world = { upstream: started, sidecar, sidecall };
    take(world);
  });

  beforeEach(() => {
    world.upstream.asked.length = 0;
    world.upstream.handle(upstream);
  });

  afterAll(async () => {
    world.sidecall.close();
    await world.sidecar.stop();
    world.upstream.close();
  });
}
