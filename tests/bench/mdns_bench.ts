/**
 * Two hosts on a LAN, from the moment the second is ready until both are connected. Promised for two daemons: p50 under
 * 1 s, never over 6 s. Plain libp2p and rust-libp2p, where it is built, run the same race.
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { jsonLine, LineProcess } from "../support/line_process.ts";
import { Lan, requireNetns } from "../support/netns.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { type Program, sourcePrograms, start } from "./programs.ts";
import { interleave, median, percentile, printReport, type Row } from "./report.ts";

const ROUNDS = Number(process.env["ALMENAD_BENCH_ROUNDS"] ?? 10);
const HOSTS = ["alice", "bob"] as const;
const GRPC_ADDR = "127.0.0.1:50061";
const TIMEOUT_MS = 30_000;

/** When a host said it is connected, by the wall clock. */
type Connected = () => Promise<number>;

function connectedAt(child: LineProcess): Promise<number> {
  return child.waitFor("connection", (line) => {
    const event = jsonLine(line);
    if (event?.["event"] !== "connected") return undefined;
    return Number(event["epochMs"] ?? Date.now());
  }, TIMEOUT_MS);
}

async function withWatcher(netns: string): Promise<LineProcess> {
  const script = fileURLToPath(import.meta.resolve("./connection_watcher.ts"));
  const child = new LineProcess({
    command: [Deno.execPath(), "run", "-A", script, GRPC_ADDR],
    netns,
  });
  await child.waitFor("watcher", (line) => jsonLine(line)?.["event"] === "watching" || undefined);
  return child;
}

// The plain programs say themselves when they are connected; the daemon is asked.
async function race(lan: Lan, { name, command }: Program): Promise<number> {
  const isDaemon = command.includes("--data-dir");
  await using stack = new AsyncDisposableStack();
  const connected: Connected[] = [];
  let readyAt = 0;
  for (const host of HOSTS) {
    const { namespace: netns } = lan.host(host);
    const watcher = isDaemon ? stack.use(await withWatcher(netns)) : undefined;
    // A new folder each time: who has the lower peer id dials first, so that must vary.
    const dataDir = stack.use(await tempFolder());
    const fresh = command.map((word) => word === DATA_DIR ? dataDir.path : word);
    const args = isDaemon ? ["--grpc-addr", GRPC_ADDR] : [];
    const running = stack.use(await start({ name, command: fresh }, { netns, args }));
    readyAt = Date.now();
    const child = watcher ?? running.process;
    connected.push(() => connectedAt(child));
  }
  const times = await Promise.all(connected.map((wait) => wait()));
  return Math.max(...times) - readyAt;
}

/** Stands for the data folder until a race begins. */
const DATA_DIR = "fresh-data-dir";

async function main(): Promise<void> {
  if (!requireNetns("mdns_bench")) return;
  await using lan = await Lan.create(HOSTS, { hasDefaultRoute: true });
  const programs = sourcePrograms(DATA_DIR);
  const measured = await interleave(
    ROUNDS,
    new Map(programs.map((program) => [program.name, () => race(lan, program)])),
  );
  const rows = [...measured].map(([name, times]): Row => ({
    program: name,
    "p50 ms": median(times),
    "p90 ms": percentile(times, 0.9),
    "worst ms": Math.max(...times),
  }));
  printReport(`mDNS: second ready to both connected, ${ROUNDS} rounds`, rows, [
    "Promised for almenad: p50 under 1,000 ms, never over 6,000 ms. Negative: connected before the ready line was read.",
  ]);
}

await main();
