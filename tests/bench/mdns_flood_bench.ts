/**
 * Event-loop delay of a program that is flooded with forged mDNS packets by a neighbour. Promised for the daemon: p99
 * below 50 ms at 1,000 packets a second.
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { pause } from "../../src/core/mod.ts";
import { jsonLine } from "../support/line_process.ts";
import { MdnsNode } from "../support/mdns_node.ts";
import { Lan, requireNetns } from "../support/netns.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";
import { memoryMib } from "./process_stats.ts";
import { ALMENAD, PLAIN, type Running, start } from "./programs.ts";
import { interleave, median, printReport, type Row } from "./report.ts";

const ROUNDS = Number(process.env["ALMENAD_BENCH_ROUNDS"] ?? 3);
const PACKETS_PER_SECOND = 1_000;
const SECONDS = 10;
const QUIET_MS = 3_000;

interface LoopDelay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

interface Flooded {
  readonly quiet: LoopDelay;
  readonly flooded: LoopDelay;
  readonly mib: number;
}

const WRAPPER = fileURLToPath(import.meta.resolve("./loop_delay.ts"));

function wrapped(name: string, module: string, flags: readonly string[]) {
  const command = [Deno.execPath(), "run", "-A", "--unstable-net", WRAPPER, ...flags];
  return { name, command, env: { "ALMENAD_BENCH_MODULE": import.meta.resolve(module) } };
}

async function loopDelay({ process: child }: Running): Promise<LoopDelay> {
  const before = child.stderr.length;
  Deno.kill(child.pid, "SIGUSR2");
  return await waitFor("loop delay", () => {
    const event = child.stderr.slice(before).map(jsonLine).find((one) => one?.["event"] === "loop");
    return event as unknown as LoopDelay | undefined;
  });
}

async function flood(lan: Lan, program: ReturnType<typeof wrapped>): Promise<Flooded> {
  await using running = await start(program, { netns: lan.host("alice").namespace });
  await pause(QUIET_MS);
  await loopDelay(running); // forgets the start
  await pause(QUIET_MS);
  const quiet = await loopDelay(running);
  const { ipv4: target } = lan.host("alice");
  const { ipv4: source } = lan.host("mallory");
  const count = PACKETS_PER_SECOND * SECONDS;
  const args = [String(count), String(PACKETS_PER_SECOND), target, source];
  await using mallory = await MdnsNode.startAttacker(lan, "mallory", args);
  await loopDelay(running);
  await mallory.waitFor("the end", ({ event }) => event === "done", (SECONDS + 30) * 1_000);
  const flooded = await loopDelay(running);
  return { quiet, flooded, mib: await memoryMib(running.process.pid) };
}

async function main(): Promise<void> {
  if (!requireNetns("mdns_flood_bench")) return;
  await using lan = await Lan.create(["alice", "mallory"], { hasDefaultRoute: true });
  await using dataDir = await tempFolder();
  const flags = ["--format", "json", "--data-dir", dataDir.path, "--rest-addr", "127.0.0.1:0"];
  const programs = [wrapped(ALMENAD, "../../main.ts", flags), wrapped(PLAIN, "./bare_node.ts", [])];
  const measured = await interleave(
    ROUNDS,
    new Map(programs.map((program) => [program.name, () => flood(lan, program)])),
  );
  const rows = [...measured].map(([name, runs]): Row => ({
    program: name,
    "quiet p99 ms": median(runs.map(({ quiet }) => quiet.p99)),
    "flooded p50 ms": median(runs.map(({ flooded }) => flooded.p50)),
    "flooded p99 ms": median(runs.map(({ flooded }) => flooded.p99)),
    "flooded worst ms": Math.max(...runs.map(({ flooded }) => flooded.max)),
    "memory after MiB": median(runs.map(({ mib }) => mib)),
  }));
  printReport(
    `Event loop under ${PACKETS_PER_SECOND} forged mDNS packets a second for ${SECONDS} s, ${ROUNDS} rounds`,
    rows,
    ["Promised for almenad: p99 below 50 ms."],
  );
}

await main();
