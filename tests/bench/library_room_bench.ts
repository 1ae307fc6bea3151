/**
 * The shared library in namespaces with shaped links: one seed at 200 Mbit/s and four downloaders, then two
 * seeds of which one is ten times slower. On a busy machine a slower link (`ALMENAD_BENCH_MBIT`) keeps its
 * processors out of the figures. `ALMENAD_BENCH_MIB` (96; 256 under ALMENAD_FULL=1) is the item's size.
 * Promised: the seed uploads at most 1.5 x the item, all four end within 1.6 x the time of one alone; two
 * seeds within 1.15 x of the best split.
 */
import { join } from "node:path";
import process from "node:process";
import { Lan } from "../support/netns.ts";
import { BenchPeer, writeItem } from "../support/sharing/bench_peers.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { print, printReport, type Row } from "./report.ts";

const MIB = Number(
  process.env["ALMENAD_BENCH_MIB"] ?? (process.env["ALMENAD_FULL"] === "1" ? 256 : 96),
);
const MBIT = Number(process.env["ALMENAD_BENCH_MBIT"] ?? 200);
let runs = 0;

async function shape(lan: Lan, name: string, mbit: number): Promise<void> {
  const rate = ["rate", `${mbit}mbit`, "burst", "256kb", "latency", "50ms"];
  await lan.run(name, ["tc", "qdisc", "add", "dev", "eth0", "root", "tbf", ...rate]);
}

interface Outcome {
  readonly seconds: number;
  readonly seedBytes: number[];
}

/** Lets downloaders fetch from seeds with these rates, all at once. */
async function room(
  folder: string,
  seedRates: readonly number[],
  downloaders: number,
  args: readonly string[] = [],
): Promise<Outcome> {
  const seedNames = seedRates.map((_, index) => `s${index}`);
  const names = Array.from({ length: downloaders }, (_, index) => `d${index}`);
  await using lan = await Lan.create([...seedNames, ...names], { hasIpv6: false });
  await using stack = new AsyncDisposableStack();
  const start = async (name: string, dir: string) => {
    const { namespace, ipv4 } = lan.host(name);
    const listen = `/ip4/${ipv4}/tcp/4001`;
    return stack.use(await BenchPeer.start({ dir, netns: namespace, listen, args }));
  };
  const seeds: BenchPeer[] = [];
  for (const [index, rate] of seedRates.entries()) {
    const seed = await start(`s${index}`, join(folder, `seed${index}`));
    await seed.ask("scan");
    await shape(lan, `s${index}`, rate);
    seeds.push(seed);
  }
  const run = runs++;
  const peers: BenchPeer[] = [];
  for (const name of names) {
    const peer = await start(name, join(folder, `${name}-${run}`));
    for (const other of [...seeds, ...peers]) await peer.ask("dial", { addr: other.address });
    peers.push(peer);
  }
  await Promise.all(peers.map((peer) => peer.ask("wait", { item: "item", peers: seeds.length })));
  const begun = performance.now();
  await Promise.all(peers.map((peer) => peer.ask("get", { item: "item" })));
  const seconds = (performance.now() - begun) / 1_000;
  const served = await Promise.all(seeds.map((seed) => seed.ask<{ bytes: number }>("served")));
  for (const name of names) await Deno.remove(join(folder, `${name}-${run}`), { recursive: true });
  return { seconds, seedBytes: served.map(({ bytes }) => bytes) };
}

await using folder = await tempFolder();
await writeItem(join(folder.path, "seed0", "library"), "item", MIB);
await writeItem(join(folder.path, "seed1", "library"), "item", 0);
await Deno.copyFile(
  join(folder.path, "seed0", "library", "item", "data.bin"),
  join(folder.path, "seed1", "library", "item", "data.bin"),
);
const itemBytes = MIB * 2 ** 20;
const best = itemBytes * 8 / (MBIT * 1e6);
const rows: Row[] = [];
const alone = await room(folder.path, [MBIT], 1);
rows.push({ case: "one alone", seconds: alone.seconds, "x link": alone.seconds / best });
print(`one alone: ${alone.seconds.toFixed(1)} s`);
const four = await room(folder.path, [MBIT], 4);
rows.push({
  case: "four at once",
  seconds: four.seconds,
  "x alone": four.seconds / alone.seconds,
  "seed uploads x item": (four.seedBytes[0] ?? 0) / itemBytes,
});
const split = best / 1.1;
for (const strategy of ["measured", "round-robin"]) {
  const two = await room(folder.path, [MBIT, MBIT / 10], 1, ["--strategy", strategy]);
  const [fast = 0, slow = 0] = two.seedBytes;
  rows.push({
    case: `two seeds, one 10 x slower, ${strategy}`,
    seconds: two.seconds,
    "x best split": two.seconds / split,
    "slow seed's share": slow / (fast + slow),
  });
}
printReport(`Shared library, links of ${MBIT} Mbit/s, ${MIB} MiB`, rows, [
  "Promised: 1.6 x alone, 1.5 x item; two seeds 1.15 x the best split.",
]);
