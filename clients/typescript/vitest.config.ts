import { defineConfig } from "vitest/config";

export default defineConfig({
  // What takes longer hangs, on whatever machine.
  test: { include: ["test/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 },
});
