import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const FILE = "sidecall/v1/sidecall_pb.ts";

test("the generated code is what `npm run generate` writes", () => {
  const folder = mkdtempSync(join(tmpdir(), "sidecall-generated-"));
  try {
    execFileSync("npm", ["run", "--silent", "generate", "--", "--output", folder], {
      cwd: ROOT,
      stdio: "pipe",
    });
    const written = readFileSync(join(folder, "src/wire", FILE), "utf8");

    expect(written === readFileSync(join(ROOT, "src/wire", FILE), "utf8")).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
