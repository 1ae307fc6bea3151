/**
 * What others see of a p2pd while one peer abuses it: a program of another peer opens echo streams, before and while
 * the abuser hoards streams, floods a topic, or fills the DHT. Wanted: p99 within 2 x.
 *
 * `ALMENAD_BENCH_CALLS` (200) of the honest peer in each of `ALMENAD_BENCH_ROUNDS` (2) rounds, fewer
 * where they take longer than `ALMENAD_BENCH_MS` (6,000).
 */
import process from "node:process";
import { type Abuse, Abuser } from "../support/hostile/abuser.ts";
import { P2pd } from "../support/p2pd_process.ts";
import { cpuMs } from "./process_stats.ts";
import { median, percentile, printReport, ratio, type Row } from "./report.ts";

const CALLS = Number(process.env["ALMENAD_BENCH_CALLS"] ?? 200);
const ROUNDS = Number(process.env["ALMENAD_BENCH_ROUNDS"] ?? 2);
const PHASE_MS = Number(process.env["ALMENAD_BENCH_MS"] ?? 6_000);
const WARM_CALLS = 50;
const FLAGS = ["-dhtServer", "-pubsub"];
/** More than is done while we measure. */
const WITHOUT_END = 1_000_000;
const LONG_MS = 600_000;

async function echo(from: P2pd, to: P2pd): Promise<number> {
  const begun = performance.now();
  const { socket } = await from.client.streamOpen(to.peerId, ["/echo/1.0.0"], 30);
  socket.write("x");
  for await (const _chunk of socket) break;
  return performance.now() - begun;
}

async function calls(from: P2pd, to: P2pd, count: number): Promise<number[]> {
  const times: number[] = [];
  const until = performance.now() + PHASE_MS;
  while (times.length < count && performance.now() < until) times.push(await echo(from, to));
  return times;
}

/** Drains a topic, so that the daemon has a program to give messages to. */
async function listen(p2pd: P2pd): Promise<{ received: () => number; stop: () => Promise<void> }> {
  const messages = await p2pd.client.pubsubSubscribe("abused");
  let received = 0;
  const reading = (async () => {
    for await (const _message of messages) received++;
  })();
  return {
    received: () => received,
    stop: async () => {
      await messages.return?.();
      await reading;
    },
  };
}

interface Figures {
  readonly quiet: number[];
  readonly abused: number[];
  readonly cpuShare: number;
  readonly messagesPerSecond: number;
  readonly residentMiB: number;
}

async function measure(abuse: Abuse): Promise<Figures> {
  await using p2pd = await P2pd.start("almenad", { flags: FLAGS });
  await using honest = await P2pd.start("almenad", { flags: FLAGS });
  await honest.join(p2pd);
  const { received, stop } = await listen(p2pd);
  await calls(honest, p2pd, WARM_CALLS);
  const quiet = await calls(honest, p2pd, CALLS);
  await using _abuser = await Abuser.start(p2pd, abuse, WITHOUT_END, LONG_MS, true);
  await calls(honest, p2pd, WARM_CALLS); // it has begun in earnest
  const { pid } = p2pd.process;
  const begun = { at: performance.now(), cpu: await cpuMs(pid), received: received() };
  const abused = await calls(honest, p2pd, CALLS);
  const seconds = (performance.now() - begun.at) / 1_000;
  const figures = {
    ...{ quiet, abused, residentMiB: p2pd.residentMiB() },
    cpuShare: (await cpuMs(pid) - begun.cpu) / 1_000 / seconds,
    messagesPerSecond: (received() - begun.received) / seconds,
  };
  await stop();
  return figures;
}

const rows: Row[] = [];
for (const abuse of ["streams", "pubsub", "dht"] as const) {
  const rounds: Figures[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await measure(abuse));
  const share = (key: "quiet" | "abused", part: number) =>
    rounds.map((one) => percentile(one[key], part));
  rows.push({
    abuse,
    "quiet p50 ms": median(share("quiet", 0.5)),
    "abused p50 ms": median(share("abused", 0.5)),
    "quiet p99 ms": median(share("quiet", 0.99)),
    "abused p99 ms": median(share("abused", 0.99)),
    "p50 x quiet": ratio(share("abused", 0.5), share("quiet", 0.5)),
    "p99 x quiet": ratio(share("abused", 0.99), share("quiet", 0.99)),
    "CPU share": median(rounds.map(({ cpuShare }) => cpuShare)),
    "messages/s": median(rounds.map(({ messagesPerSecond }) => messagesPerSecond)),
    "resident MiB": Math.max(...rounds.map(({ residentMiB }) => residentMiB)),
  });
}
printReport(`p2pd beside an abuser, ${CALLS} calls, ${ROUNDS} rounds`, rows, [
  "Wanted: p99 of others at most 2 x of the quiet one's. The abuser shares the processor, but gives way.",
]);
