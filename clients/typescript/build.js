// `npm run build`: src as ES modules and as CommonJS, each with its types.
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);
const tsc = join(dirname(require.resolve("typescript/package.json")), "bin/tsc");

rmSync("dist", { recursive: true, force: true });
for (const [form, type] of Object.entries({ esm: "module", cjs: "commonjs" })) {
  execFileSync(process.execPath, [tsc, "-p", `tsconfig.${form}.json`], { stdio: "inherit" });
  writeFileSync(`dist/${form}/package.json`, `${JSON.stringify({ type })}\n`);
}
