/**
 * One libp2p stream over loopback, Noise and Yamux, sender and receiver in processes of their own: the daemon's swarm,
 * plain libp2p, and rust-libp2p where it is built. Promised: at least 0.9 x of plain libp2p, memory flat.
 *
 * `ALMENAD_BENCH_MIB` (1024) is moved in each of `ALMENAD_BENCH_ROUNDS` (5) rounds.
 */
import { fileURLToPath } from "node:url";
import process from "node:process";
import { isPrepared } from "../support/foreign_peers.ts";
import { RUST_PEER } from "../support/rust_peers.ts";
import { TestPeer } from "../support/test_peer.ts";
import { cpuMs, MemorySampler } from "./process_stats.ts";
import { interleave, median, percentile, printReport, ratio, type Row } from "./report.ts";

const MIB = Number(process.env["ALMENAD_BENCH_MIB"] ?? 1024);
const ROUNDS = Number(process.env["ALMENAD_BENCH_ROUNDS"] ?? 5);
const WARM_UP_MIB = 64;

interface Transfer {
  readonly mibPerSecond: number;
  /** Of sender and receiver together. */
  readonly cpuMsPerMib: number;
  /** Growth over the whole transfer after its first tenth, in MiB. */
  readonly senderGrowth: number;
  readonly receiverGrowth: number;
  readonly senderPeak: number;
  readonly receiverPeak: number;
}

function source(path: string): string[] {
  return [Deno.execPath(), "run", "-A", fileURLToPath(import.meta.resolve(path))];
}

function contestants(): Map<string, readonly string[]> {
  const programs = new Map<string, readonly string[]>([
    ["almenad", source("../support/stream_peer.ts")],
    ["plain libp2p", source("./bare_stream_peer.ts")],
  ]);
  if (isPrepared(RUST_PEER)) programs.set("rust-libp2p", [RUST_PEER.path, "--no-mdns"]);
  return programs;
}

// From the first tenth on, so that warming up does not count as growth.
function growth(samples: readonly number[]): number {
  const start = Math.floor(samples.length / 10);
  return (samples.at(-1) ?? NaN) - (samples[start] ?? NaN);
}

async function cpuOf(pids: readonly number[]): Promise<number> {
  const times = await Promise.all(pids.map(cpuMs));
  return times.reduce((sum, ms) => sum + ms, 0);
}

async function transfer(command: readonly string[]): Promise<Transfer> {
  await using sender = await TestPeer.start(command);
  await using receiver = await TestPeer.start(command);
  await sender.dial(receiver.dialAddress);
  await sender.blast(receiver.peerId, WARM_UP_MIB * 2 ** 20);
  const pids = [sender.process.pid, receiver.process.pid];
  const samplers = pids.map((pid) => new MemorySampler(pid));
  const cpuBefore = await cpuOf(pids);
  const ms = await sender.blast(receiver.peerId, MIB * 2 ** 20);
  const cpu = await cpuOf(pids) - cpuBefore;
  await Promise.all(samplers.map((sampler) => sampler.stop()));
  const [sent = [], received = []] = samplers.map(({ samples }) => samples);
  return {
    mibPerSecond: MIB / (ms / 1_000),
    cpuMsPerMib: cpu / MIB,
    senderGrowth: growth(sent),
    receiverGrowth: growth(received),
    senderPeak: Math.max(...sent),
    receiverPeak: Math.max(...received),
  };
}

const programs = contestants();
const measured = await interleave(
  ROUNDS,
  new Map([...programs].map(([name, command]) => [name, () => transfer(command)])),
);
const values = (name: string, key: keyof Transfer) =>
  measured.get(name)?.map((one) => one[key]) ?? [];
const speeds = (name: string) => values(name, "mibPerSecond");
const rows = [...measured].map(([name, transfers]): Row => ({
  program: name,
  "MiB/s p50": median(speeds(name)),
  "MiB/s worst": Math.min(...speeds(name)),
  "x plain": ratio(speeds(name), speeds("plain libp2p")),
  "cpu ms/MiB": median(values(name, "cpuMsPerMib")),
  "cpu x plain": ratio(values(name, "cpuMsPerMib"), values("plain libp2p", "cpuMsPerMib")),
  "sender peak MiB": median(transfers.map(({ senderPeak }) => senderPeak)),
  "sender growth MiB p90": percentile(transfers.map(({ senderGrowth }) => senderGrowth), 0.9),
  "receiver peak MiB": median(transfers.map(({ receiverPeak }) => receiverPeak)),
  "receiver growth MiB p90": percentile(
    transfers.map(({ receiverGrowth }) => receiverGrowth),
    0.9,
  ),
}));
printReport(`One stream over loopback, ${MIB} MiB, ${ROUNDS} rounds`, rows, [
  "Promised: almenad at least 0.9 x plain libp2p, memory flat.",
]);
