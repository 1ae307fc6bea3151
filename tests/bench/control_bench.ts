/**
 * The control socket beside gRPC, both called from this process: Ping one after another and 32 at once, then 10,000
 * calls on one connection. Promised: pooled Ping p50 under 0.3 ms and at least twice the calls a second of gRPC Ping over
 * loopback TCP; memory flat over 10,000 calls.
 */
import { join } from "node:path";
import process from "node:process";
import { Client } from "../../src/client/mod.ts";
import { ControlClient } from "../support/control_client.ts";
import { GrpcClient } from "../support/grpc_client.ts";
import { cpuMs, memoryMib, settle } from "./process_stats.ts";
import { ALMENAD, type Program, type Running, sourcePrograms, start } from "./programs.ts";
import { onQuietHost } from "./quiet_host.ts";
import { interleave, median, percentile, printReport, ratio, type Row } from "./report.ts";

const ROUNDS = Number(process.env["ALMENAD_BENCH_ROUNDS"] ?? 7);
const SECONDS = Number(process.env["ALMENAD_BENCH_SECONDS"] ?? 2);
const CALLS = 10_000;
const GRPC = "gRPC Ping, grpc-js";
const POOLED = "control Ping, client library";

interface Prepared {
  readonly program: Program;
  readonly dataDir: string;
}

interface Contestant extends AsyncDisposable {
  call(): Promise<unknown>;
}

interface Measured {
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time of the daemon, µs. */
  readonly cpuUsPerCall: number;
}

async function prepare(): Promise<Prepared> {
  const dataDir = await Deno.makeTempDir({ prefix: "almenad-bench-" });
  const [program] = sourcePrograms(dataDir);
  return { program: program as Program, dataDir };
}

/** One connection, several requests under way: answers come in order. */
async function rawLines(path: string): Promise<Contestant> {
  const client = await ControlClient.connect(path);
  let last: Promise<unknown> = Promise.resolve();
  return {
    call: () => {
      client.write('"Ping"\n');
      last = last.then(() => client.nextLine());
      return last;
    },
    [Symbol.asyncDispose]: async () => {
      client[Symbol.dispose]();
      await client.closed;
    },
  };
}

async function contestants(
  { grpc }: Running,
  socket: string,
): Promise<Map<string, Contestant>> {
  const pooled = new Client({ socket });
  const grpcClient = new GrpcClient(grpc);
  return new Map<string, Contestant>([
    [GRPC, {
      call: () => grpcClient.call("Ping"),
      [Symbol.asyncDispose]: async () => await Promise.resolve(grpcClient[Symbol.dispose]()),
    }],
    [POOLED, {
      call: () => pooled.ping(),
      [Symbol.asyncDispose]: async () => await Promise.resolve(),
    }],
    ["control core.ping, client library", {
      call: () => pooled.query("core.ping"),
      [Symbol.asyncDispose]: () => pooled[Symbol.asyncDispose](),
    }],
    ["control Ping, by hand", await rawLines(socket)],
  ]);
}

async function measured(
  { call }: Contestant,
  pid: number,
  inFlight: number,
  seconds: number,
): Promise<Measured> {
  const latencies: number[] = [];
  const cpuBefore = await cpuMs(pid);
  const begun = performance.now();
  const end = begun + seconds * 1_000;
  await Promise.all(Array.from({ length: inFlight }, async () => {
    for (let now = performance.now(); now < end;) {
      await call();
      const after = performance.now();
      latencies.push(after - now);
      now = after;
    }
  }));
  const elapsed = performance.now() - begun;
  return {
    callsPerSecond: latencies.length / (elapsed / 1_000),
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    cpuUsPerCall: ((await cpuMs(pid) - cpuBefore) * 1_000) / latencies.length,
  };
}

async function compete(
  all: ReadonlyMap<string, Contestant>,
  pid: number,
  inFlight: number,
): Promise<Row[]> {
  for (const one of all.values()) await measured(one, pid, inFlight, 1); // warm up
  const rounds = await interleave(
    ROUNDS,
    new Map([...all].map(([name, one]) => [name, () => measured(one, pid, inFlight, SECONDS)])),
  );
  const values = (name: string, key: keyof Measured) =>
    rounds.get(name)?.map((one) => one[key]) ?? [];
  return [...all.keys()].map((name): Row => ({
    call: name,
    "in flight": inFlight,
    "calls/s": median(values(name, "callsPerSecond")),
    "calls/s x gRPC": ratio(values(name, "callsPerSecond"), values(GRPC, "callsPerSecond")),
    "p50 ms": median(values(name, "p50Ms")),
    "p99 ms": median(values(name, "p99Ms")),
    "daemon cpu µs/call": median(values(name, "cpuUsPerCall")),
  }));
}

async function memoryOver(calls: number, socket: string, pid: number): Promise<Row[]> {
  await using client = new Client({ socket, maxConnections: 1 });
  const rows: Row[] = [];
  for (let round = 0; round <= 5; round++) {
    for (let count = 0; count < calls; count++) await client.query("core.ping");
    await settle(1_000);
    // The first round warms the code up.
    const name = round === 0 ? "warm-up" : `${round}`;
    rows.push({ round: name, calls, connections: client.connections, "MiB": await memoryMib(pid) });
  }
  return rows;
}

async function measure({ program, dataDir }: Prepared): Promise<void> {
  await using running = await start(program);
  const { pid } = running.process;
  const socket = join(dataDir, "daemon", "daemon.sock");
  const all = await contestants(running, socket);
  const rows = [...await compete(all, pid, 1), ...await compete(all, pid, 32)];
  printReport(`Control socket and gRPC, ${ROUNDS} rounds of ${SECONDS} s`, rows, [
    `Promised for ${ALMENAD}: "${POOLED}" p50 under 0.3 ms and at least 2 x the calls a second of gRPC.`,
  ]);
  printReport(
    "Resident memory of the daemon, calls on one connection",
    await memoryOver(
      ...[CALLS, socket, pid] as const,
    ),
    ["Promised: flat after the warm-up."],
  );
  for (const one of all.values()) await one[Symbol.asyncDispose]();
  await Deno.remove(dataDir, { recursive: true });
}

await onQuietHost(import.meta.url, prepare, measure);
