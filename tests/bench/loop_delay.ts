/**
 * Runs a program and watches its event loop: `ALMENAD_BENCH_MODULE` names the module, arguments pass through. On
 * SIGUSR2 one JSON line on stderr tells how late a timer of 5 ms fired since the last such signal.
 */
import process from "node:process";
import { percentile } from "./report.ts";

const PERIOD_MS = 5;
let delays: number[] = [];
let due = performance.now() + PERIOD_MS;
setInterval(() => {
  const now = performance.now();
  delays.push(Math.max(0, now - due));
  due = now + PERIOD_MS;
}, PERIOD_MS);

process.on("SIGUSR2", () => {
  const [p50, p99] = [percentile(delays, 0.5), percentile(delays, 0.99)];
  const line = { event: "loop", p50, p99, max: Math.max(...delays), samples: delays.length };
  delays = [];
  process.stderr.write(`${JSON.stringify(line)}\n`);
});

await import(process.env["ALMENAD_BENCH_MODULE"] ?? "");
