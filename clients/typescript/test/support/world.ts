/** What most test files run against. */

import { afterAll, beforeAll } from "vitest";

import { Sidecall } from "../../src/index.js";
import { Sidecar, Upstream } from "./sidecar.js";

/** An upstream, the program that calls it, and a client of that. */
export interface World {
  readonly upstream: Upstream;
  readonly sidecar: Sidecar;
  readonly sidecall: Sidecall;
}

/** Starts a world before the tests of a file, and ends it after them. */
export function inWorld(take: (world: World) => void): void {
  let world: World;

  beforeAll(async () => {
    const upstream = await Upstream.start();
    const sidecar = new Sidecar(upstream);
    sidecar.start();
    world = { upstream, sidecar, sidecall: new Sidecall({ address: sidecar.address }) };
    take(world);
  });

  afterAll(async () => {
    world.sidecall.close();
    await world.sidecar.stop();
    world.upstream.close();
  });
}
