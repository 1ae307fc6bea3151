/**
 * p2pd against the Go p2pd, each between two daemons of its kind over loopback: bytes through one STREAM_OPEN, and
 * streams opened one after another. Promised: at least 0.5 x of the Go daemon in both, memory flat.
 *
 * `ALMENAD_BENCH_MIB` (64; promised 512) is moved and `ALMENAD_BENCH_STREAMS` (200; promised 1,000) are opened in each of
 * `ALMENAD_BENCH_ROUNDS` (3) rounds.
 */
import process from "node:process";
import { isPrepared } from "../support/foreign_peers.ts";
import { GO_P2PD } from "../support/go_p2pd.ts";
import { P2pd, type P2pdKind } from "../support/p2pd_process.ts";
import { openStream, pour, Sink } from "./p2pd_pipe.ts";
import { cpuMs, MemorySampler } from "./process_stats.ts";
import { interleave, median, printReport, ratio, type Row } from "./report.ts";

const MIB = Number(process.env["ALMENAD_BENCH_MIB"] ?? 64);
const STREAMS = Number(process.env["ALMENAD_BENCH_STREAMS"] ?? 200);
const ROUNDS = Number(process.env["ALMENAD_BENCH_ROUNDS"] ?? 3);
const WARM_UP_MIB = 16;
/** Streams that are opened at the same time. */
const AT_ONCE = 8;

interface Figures {
  readonly mibPerSecond: number;
  /** Of both daemons together. */
  readonly cpuSecondsPerGib: number;
  readonly streamsPerSecond: number;
  /** Highest resident memory of the daemon that sends, in MiB. */
  readonly senderPeak: number;
  readonly receiverPeak: number;
}

async function cpuOf(pids: readonly number[]): Promise<number> {
  const times = await Promise.all(pids.map(cpuMs));
  return times.reduce((sum, ms) => sum + ms, 0);
}

async function moved(from: P2pd, to: P2pd, sink: Sink, mib: number): Promise<number> {
  const bytes = mib * 2 ** 20;
  const begun = performance.now();
  const stream = await openStream(from, to);
  const arrived = sink.reached(sink.bytes + bytes);
  await pour(stream, bytes);
  await arrived;
  stream.close();
  return performance.now() - begun;
}

async function opened(from: P2pd, to: P2pd, sink: Sink, count: number): Promise<number> {
  const begun = performance.now();
  const streams: Deno.Conn[] = [];
  const arrived = sink.reached(sink.bytes + count);
  let left = count;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (left-- > 0) {
      const stream = await openStream(from, to);
      streams.push(stream);
      await stream.write(Uint8Array.of(1));
    }
  }));
  await arrived; // at the other program, not only at its daemon
  const ms = performance.now() - begun;
  for (const stream of streams) stream.close();
  return ms;
}

async function measure(kind: P2pdKind): Promise<Figures> {
  await using from = await P2pd.start(kind);
  await using to = await P2pd.start(kind);
  await from.join(to);
  await using sink = await Sink.open(to);
  await moved(from, to, sink, WARM_UP_MIB);
  const pids = [from.process.pid, to.process.pid];
  const samplers = pids.map((pid) => new MemorySampler(pid));
  const cpuBefore = await cpuOf(pids);
  const ms = await moved(from, to, sink, MIB);
  const cpu = await cpuOf(pids) - cpuBefore;
  await Promise.all(samplers.map((sampler) => sampler.stop()));
  const [sent = [], received = []] = samplers.map(({ samples }) => samples);
  await opened(from, to, sink, AT_ONCE);
  const openMs = await opened(from, to, sink, STREAMS);
  return {
    mibPerSecond: MIB / (ms / 1_000),
    cpuSecondsPerGib: cpu / 1_000 / (MIB / 1_024),
    streamsPerSecond: STREAMS / (openMs / 1_000),
    senderPeak: Math.max(...sent),
    receiverPeak: Math.max(...received),
  };
}

const kinds: P2pdKind[] = isPrepared(GO_P2PD) ? ["almenad", "go"] : ["almenad"];
const measured = await interleave(
  ROUNDS,
  new Map(kinds.map((kind) => [kind, () => measure(kind)])),
);
const values = (name: string, key: keyof Figures) =>
  measured.get(name)?.map((one) => one[key]) ?? [];
const rows = [...measured.keys()].map((name): Row => ({
  program: name,
  "MiB/s p50": median(values(name, "mibPerSecond")),
  "x Go": ratio(values(name, "mibPerSecond"), values("go", "mibPerSecond")),
  "cpu s/GiB": median(values(name, "cpuSecondsPerGib")),
  "cpu x Go": ratio(values(name, "cpuSecondsPerGib"), values("go", "cpuSecondsPerGib")),
  "streams/s": median(values(name, "streamsPerSecond")),
  "streams x Go": ratio(values(name, "streamsPerSecond"), values("go", "streamsPerSecond")),
  "sender peak MiB": Math.max(...values(name, "senderPeak")),
  "receiver peak MiB": Math.max(...values(name, "receiverPeak")),
}));
printReport(`p2pd streams, ${MIB} MiB and ${STREAMS} streams, ${ROUNDS} rounds`, rows, [
  "Promised: almenad at least 0.5 x Go in MiB/s and streams/s, memory flat.",
]);
