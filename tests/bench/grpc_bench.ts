/**
 * gRPC under load: Ping with 1, 32 and 100 calls in flight, ListPeers with 1,000 peers. Promised: at least 0.9 x of the
 * plain grpc-js server's calls a second, p99 no worse than 1.2 x, ListPeers p50 under 10 ms.
 */
import process from "node:process";
import { type CrowdTarget, joinCrowd } from "./crowd.ts";
import { isPrepared } from "../support/foreign_peers.ts";
import { GHZ, type Load, load } from "./ghz.ts";
import { cpuMs } from "./process_stats.ts";
import { ALMENAD, PLAIN, type Program, type Running, sourcePrograms, start } from "./programs.ts";
import { onQuietHost } from "./quiet_host.ts";
import { interleave, median, print, printReport, ratio, type Row } from "./report.ts";

const ROUNDS = Number(process.env["ALMENAD_BENCH_ROUNDS"] ?? 5);
const SECONDS = Number(process.env["ALMENAD_BENCH_SECONDS"] ?? 2);
const IN_FLIGHT = [1, 32, 100] as const;
const PEERS = 1_000;

interface Prepared {
  readonly programs: readonly Program[];
  readonly dataDir: string;
}

async function prepare(): Promise<Prepared> {
  const dataDir = await Deno.makeTempDir({ prefix: "almenad-bench-" });
  return { programs: sourcePrograms(dataDir), dataDir };
}

interface Contest {
  readonly method: "Ping" | "ListPeers";
  readonly inFlight: number;
}

/** A load, and what it cost the server. */
interface Measured extends Load {
  /** Processor time of the server, µs. */
  readonly cpuUsPerCall: number;
}

async function measured(target: Running, contest: Contest, seconds: number): Promise<Measured> {
  const { pid } = target.process;
  const before = await cpuMs(pid);
  const done = await load({ address: target.grpc, ...contest, seconds });
  return { ...done, cpuUsPerCall: ((await cpuMs(pid) - before) * 1_000) / done.calls };
}

async function compete(
  running: ReadonlyMap<string, Running>,
  contest: Contest,
): Promise<Row[]> {
  const { method, inFlight } = contest;
  for (const one of running.values()) await measured(one, contest, 1); // warm up
  const loads = await interleave(
    ROUNDS,
    new Map([...running].map(([name, one]) => [name, () => measured(one, contest, SECONDS)])),
  );
  const values = (name: string, key: keyof Measured) =>
    loads.get(name)?.map((one) => one[key]) ?? [];
  return [...running.keys()].map((name): Row => ({
    call: method,
    "in flight": inFlight,
    program: name,
    "calls/s": median(values(name, "callsPerSecond")),
    "calls/s x plain": ratio(values(name, "callsPerSecond"), values(PLAIN, "callsPerSecond")),
    "p50 ms": median(values(name, "p50Ms")),
    "p99 ms": median(values(name, "p99Ms")),
    "p99 x plain": ratio(values(name, "p99Ms"), values(PLAIN, "p99Ms")),
    "cpu µs/call": median(values(name, "cpuUsPerCall")),
    "cpu x plain": ratio(values(name, "cpuUsPerCall"), values(PLAIN, "cpuUsPerCall")),
  }));
}

async function startAll(
  programs: readonly Program[],
  argsOf: (program: Program) => string[],
): Promise<Map<string, Running>> {
  const running = new Map<string, Running>();
  for (const program of programs) {
    running.set(program.name, await start(program, { args: argsOf(program) }));
  }
  return running;
}

async function measure({ programs, dataDir }: Prepared): Promise<void> {
  const running = await startAll(
    programs,
    (
      { name },
    ) => ["--grpc-addr", "127.0.0.1:0", ...name === ALMENAD ? [] : ["--peers", `${PEERS}`]],
  );
  try {
    const rows: Row[] = [];
    for (const inFlight of IN_FLIGHT) {
      rows.push(...await compete(running, { method: "Ping", inFlight }));
    }
    await joinCrowd(running.get(ALMENAD) as CrowdTarget, PEERS - 1);
    rows.push(...await compete(running, { method: "ListPeers", inFlight: 1 }));
    printReport(`gRPC calls, ${ROUNDS} rounds of ${SECONDS} s`, rows, [
      "Promised for almenad: Ping at least 0.9 x plain, p99 at most 1.2 x; ListPeers p50 under 10 ms.",
      `ListPeers: almenad with ${PEERS} peers that really connected, the others with as many fixed ones.`,
    ]);
  } finally {
    for (const { process: child } of running.values()) await child.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
}

if (isPrepared(GHZ)) await onQuietHost(import.meta.url, prepare, measure);
else print("SKIPPED (needs ghz, deno task peers builds it): grpc_bench");
