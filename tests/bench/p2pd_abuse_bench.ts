/**
 * What others see of a p2pd while one peer abuses it: a program of another peer opens echo streams, before and while
 * the abuser hoards streams, floods a topic, or fills the DHT. Wanted: p99 within 2 x.
 *
 * `ALMENAD_BENCH_CALLS` (200) of the honest peer in each of `ALMENAD_BENCH_ROUNDS` (3) rounds.
 */
import process from "node:process";
import { type Abuse, Abuser } from "../support/hostile/abuser.ts";
import { P2pd } from "../support/p2pd_process.ts";
import { median, percentile, printReport, ratio, type Row } from "./report.ts";

const CALLS = Number(process.env["ALMENAD_BENCH_CALLS"] ?? 200);
const ROUNDS = Number(process.env["ALMENAD_BENCH_ROUNDS"] ?? 3);
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

async function calls(from: P2pd, to: P2pd): Promise<number[]> {
  const times: number[] = [];
  for (let at = 0; at < CALLS; at++) times.push(await echo(from, to));
  return times;
}

/** Drains a topic, so that the daemon has a program to give messages to. */
async function listen(p2pd: P2pd): Promise<() => Promise<void>> {
  const messages = (await p2pd.client.pubsubSubscribe("abused"))[Symbol.asyncIterator]();
  const reading = (async () => {
    while (!(await messages.next()).done);
  })();
  return async () => {
    await messages.return?.();
    await reading;
  };
}

interface Figures {
  readonly quiet: number[];
  readonly abused: number[];
  readonly residentMiB: number;
}

async function measure(abuse: Abuse): Promise<Figures> {
  await using p2pd = await P2pd.start("almenad", { flags: FLAGS });
  await using honest = await P2pd.start("almenad", { flags: FLAGS });
  await honest.join(p2pd);
  const stop = await listen(p2pd);
  await calls(honest, p2pd); // warm
  const quiet = await calls(honest, p2pd);
  await using _abuser = await Abuser.start(p2pd, abuse, WITHOUT_END, LONG_MS);
  const abused = await calls(honest, p2pd);
  const residentMiB = p2pd.residentMiB();
  await stop();
  return { quiet, abused, residentMiB };
}

const rows: Row[] = [];
for (const abuse of ["streams", "pubsub", "dht"] as const) {
  const rounds: Figures[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await measure(abuse));
  const p99 = (key: "quiet" | "abused") => rounds.map((one) => percentile(one[key], 0.99));
  rows.push({
    abuse,
    "quiet p99 ms": median(p99("quiet")),
    "abused p99 ms": median(p99("abused")),
    "p99 x quiet": ratio(p99("abused"), p99("quiet")),
    "p50 x quiet": ratio(
      rounds.map(({ abused }) => median(abused)),
      rounds.map(({ quiet }) => median(quiet)),
    ),
    "resident MiB": Math.max(...rounds.map(({ residentMiB }) => residentMiB)),
  });
}
printReport(`p2pd beside an abuser, ${CALLS} calls, ${ROUNDS} rounds`, rows, [
  "Wanted: p99 of others at most 2 x of the quiet one's. The abuser shares the processor.",
]);
