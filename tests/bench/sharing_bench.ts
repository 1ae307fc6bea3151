/**
 * The shared library, one peer to one over loopback: an item of `ALMENAD_BENCH_MIB` (256; 2048 under
 * ALMENAD_FULL=1) against a plain stream between the same two processes. Promised: at least 0.8 x, hashing
 * and syncing included, and less than 250 MiB resident in both processes.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { BenchPeer, writeItem } from "../support/sharing/bench_peers.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { cpuMs, MemorySampler } from "./process_stats.ts";
import { median, printReport, ratio } from "./report.ts";

const IS_FULL = process.env["ALMENAD_FULL"] === "1";
const MIB = Number(process.env["ALMENAD_BENCH_MIB"] ?? (IS_FULL ? 2_048 : 256));
const ROUNDS = Number(process.env["ALMENAD_BENCH_ROUNDS"] ?? 3);

await using folder = await tempFolder();
const seedDir = join(folder.path, "seed");
await writeItem(join(seedDir, "library"), "item", MIB);
const [ours, plain]: number[][] = [[], []];
const cpuPerMib: Record<string, number[]> = {
  "seed plain": [],
  "downloader plain": [],
  "seed library": [],
  "downloader library": [],
};
const peaks = { seed: 0, downloader: 0 };
for (let round = 0; round < ROUNDS; round++) {
  await using seed = await BenchPeer.start({ dir: seedDir });
  const dir = join(folder.path, "downloader");
  await using downloader = await BenchPeer.start({ dir });
  await seed.ask("scan");
  await downloader.ask("dial", { addr: seed.address });
  await downloader.ask("wait", { item: "item" });
  await seed.ask("blast", { peer: downloader.peerId, bytes: 64 * 2 ** 20 });
  const bytes = MIB * 2 ** 20;
  const cpu = async () => (await Promise.all([seed, downloader].map((p) => cpuMs(p.process.pid))));
  const before = await cpu();
  const { ms: plainMs } = await seed.ask<{ ms: number }>("blast", {
    peer: downloader.peerId,
    bytes,
  });
  const between = await cpu();
  const samplers = [seed, downloader].map((peer) => new MemorySampler(peer.process.pid));
  const { ms } = await downloader.ask<{ ms: number }>("get", { item: "item" });
  const after = await cpu();
  for (const [index, name] of ["seed", "downloader"].entries()) {
    const share = (a: number[], b: number[]) => ((b[index] ?? 0) - (a[index] ?? 0)) / MIB;
    cpuPerMib[`${name} plain`]?.push(share(before, between));
    cpuPerMib[`${name} library`]?.push(share(between, after));
  }
  await Promise.all(samplers.map((sampler) => sampler.stop()));
  peaks.seed = Math.max(peaks.seed, ...samplers[0]?.samples ?? []);
  peaks.downloader = Math.max(peaks.downloader, ...samplers[1]?.samples ?? []);
  ours?.push(MIB / (ms / 1_000));
  plain?.push(MIB / (plainMs / 1_000));
  await rm(dir, { recursive: true });
}
printReport(`Shared library, one to one, ${MIB} MiB, ${ROUNDS} rounds`, [
  {
    program: "plain stream",
    "MiB/s p50": median(plain ?? []),
    "seed cpu ms/MiB": median(cpuPerMib["seed plain"] ?? []),
    "downloader cpu ms/MiB": median(cpuPerMib["downloader plain"] ?? []),
  },
  {
    program: "almenad library",
    "MiB/s p50": median(ours ?? []),
    "x plain": ratio(ours ?? [], plain ?? []),
    "seed cpu ms/MiB": median(cpuPerMib["seed library"] ?? []),
    "downloader cpu ms/MiB": median(cpuPerMib["downloader library"] ?? []),
    "seed peak MiB": peaks.seed,
    "downloader peak MiB": peaks.downloader,
  },
], ["Promised: at least 0.8 x plain, both below 250 MiB."]);
