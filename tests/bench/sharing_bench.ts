/**
 * The shared library, one peer to one over loopback: an item of `ALMENAD_BENCH_MIB` (256; 2048 under
 * ALMENAD_FULL=1) against a stream of plain libp2p, and a stream of ours between the same two processes.
 * Promised: at least 0.8 x plain libp2p, hashing and syncing included, and less than 250 MiB resident in
 * both processes.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { BenchPeer, writeItem } from "../support/sharing/bench_peers.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { TestPeer } from "../support/test_peer.ts";
import { memoryMib, settle, wholeCpuMs } from "./process_stats.ts";
import { median, percentile, printReport, ratio } from "./report.ts";

const IS_FULL = process.env["ALMENAD_FULL"] === "1";
const MIB = Number(process.env["ALMENAD_BENCH_MIB"] ?? (IS_FULL ? 2_048 : 256));
const ROUNDS = Number(process.env["ALMENAD_BENCH_ROUNDS"] ?? 3);
/** Each goes its own way for so long before it is measured. */
const WARM_UP_BYTES = 64 * 2 ** 20;
/** While so much of another item comes, both processes are asked along; they have enough to do otherwise. */
const ASKED_MIB = 256;

await using folder = await tempFolder();
const seedDir = join(folder.path, "seed");
await writeItem(join(seedDir, "library"), "item", MIB);
await writeItem(join(seedDir, "library"), "warm-up", WARM_UP_BYTES / 2 ** 20);
await writeItem(join(seedDir, "library"), "asked", ASKED_MIB);
const speeds = { plain: [] as number[], stream: [] as number[], library: [] as number[] };
const cpuPerMib: Record<string, number[]> = {};
const BARE_PEER = fileURLToPath(import.meta.resolve("./bare_stream_peer.ts"));

/** How long another caller of a process waits meanwhile, in milliseconds. */
const waits: Record<string, number[]> = {};

async function askAlong(name: string, peer: BenchPeer, isOver: () => boolean): Promise<void> {
  const all = waits[name] ??= [];
  while (!isOver()) {
    const begun = performance.now();
    await peer.ask("served");
    all.push(performance.now() - begun);
    await settle(20);
  }
}

/** Runs a transfer and notes its speed and each process's share of the processors. */
async function measure(
  name: keyof typeof speeds,
  pids: Record<"seed" | "downloader", number>,
  transfer: () => Promise<number>,
): Promise<void> {
  const cpu = async () => [await wholeCpuMs(pids.seed), await wholeCpuMs(pids.downloader)] as const;
  const before = await cpu();
  const ms = await transfer();
  const after = await cpu();
  speeds[name].push(MIB / (ms / 1_000));
  (cpuPerMib[`seed ${name}`] ??= []).push((after[0] - before[0]) / MIB);
  (cpuPerMib[`downloader ${name}`] ??= []).push((after[1] - before[1]) / MIB);
}

async function measurePlain(): Promise<void> {
  const command = [Deno.execPath(), "run", "-A", "--no-check", BARE_PEER];
  await using sender = await TestPeer.start(command);
  await using receiver = await TestPeer.start(command);
  await sender.dial(receiver.dialAddress);
  await sender.blast(receiver.peerId, WARM_UP_BYTES);
  const pids = { seed: sender.process.pid, downloader: receiver.process.pid };
  await measure("plain", pids, () => sender.blast(receiver.peerId, MIB * 2 ** 20));
}
const peaks = { seed: 0, downloader: 0 };
for (let round = 0; round < ROUNDS; round++) {
  await measurePlain();
  await using seed = await BenchPeer.start({ dir: seedDir });
  const dir = join(folder.path, "downloader");
  await using downloader = await BenchPeer.start({ dir });
  await seed.ask("scan");
  await downloader.ask("dial", { addr: seed.address });
  await downloader.ask("wait", { item: "item" });
  const pids = { seed: seed.process.pid, downloader: downloader.process.pid };
  const blast = async (bytes: number) =>
    (await seed.ask<{ ms: number }>("blast", { peer: downloader.peerId, bytes })).ms;
  const get = async (item: string) => (await downloader.ask<{ ms: number }>("get", { item })).ms;
  await get("warm-up");
  await measure("library", pids, () => get("item"));
  peaks.seed = Math.max(peaks.seed, await memoryMib(pids.seed, "peak"));
  peaks.downloader = Math.max(peaks.downloader, await memoryMib(pids.downloader, "peak"));
  let isOver = false;
  const asking = Promise.all([
    askAlong("seed", seed, () => isOver),
    askAlong("downloader", downloader, () => isOver),
  ]);
  await get("asked").finally(() => isOver = true);
  await asking;
  await blast(WARM_UP_BYTES);
  await measure("stream", pids, () => blast(MIB * 2 ** 20));
  await rm(dir, { recursive: true });
}
const row = (program: string, name: keyof typeof speeds) => ({
  program,
  "MiB/s p50": median(speeds[name]),
  "x plain": ratio(speeds[name], speeds.plain),
  "x own stream": ratio(speeds[name], speeds.stream),
  "seed cpu ms/MiB": median(cpuPerMib[`seed ${name}`] ?? []),
  "downloader cpu ms/MiB": median(cpuPerMib[`downloader ${name}`] ?? []),
});
printReport(`Shared library, one to one, ${MIB} MiB, ${ROUNDS} rounds`, [
  row("plain libp2p, a stream", "plain"),
  row("almenad, a stream", "stream"),
  {
    ...row("almenad, the library", "library"),
    "seed peak MiB": peaks.seed,
    "downloader peak MiB": peaks.downloader,
    "others wait ms p50, seed": percentile(waits["seed"] ?? [], 0.5),
    "p99, seed": percentile(waits["seed"] ?? [], 0.99),
    "p50, downloader": percentile(waits["downloader"] ?? [], 0.5),
    "p99, downloader": percentile(waits["downloader"] ?? [], 0.99),
  },
], ["Promised: at least 0.8 x plain libp2p, both below 250 MiB."]);
