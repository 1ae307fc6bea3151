/**
 * The daemon, and on SIGUSR2 one JSON line on stderr with its memory after a garbage collection.
 * Run with `--v8-flags=--expose-gc`.
 */
import process from "node:process";

const collect = (globalThis as { gc?: () => void }).gc;

process.on("SIGUSR2", () => {
  collect?.();
  const memory = { event: "memory", ...process.memoryUsage() };
  process.stderr.write(`${JSON.stringify(memory)}\n`);
});

await import("../../../main.ts");
