/**
 * Events from their publishing to 100 subscribers, each with a connection of its own: how late they arrive, with and
 * without one more subscriber that never reads, and what a subscriber costs. Promised: p99 under 20 ms, one stalled
 * subscriber changes nobody else's, under 1 MiB a subscriber.
 *
 * The daemon is made in a process of its own and publishes when it is told to: each event carries the moment of its
 * publishing on the clock of the machine, which both processes share.
 */
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { connectLocal, type LocalSocket, withDeadline } from "../../src/core/mod.ts";
import { LineProcess } from "../support/line_process.ts";
import { memoryMib, settle } from "./process_stats.ts";
import { onQuietHost } from "./quiet_host.ts";
import { median, percentile, printReport, ratio, type Row } from "./report.ts";

const ROUNDS = Number(process.env["ALMENAD_BENCH_ROUNDS"] ?? 5);
const SUBSCRIBERS = 100;
const EVENTS = 200;
const EVERY_MS = 20;
/** More than a socket and a queue hold. */
const FLOOD = 8_000;

interface Prepared {
  readonly dataDir: string;
}

async function prepare(): Promise<Prepared> {
  return { dataDir: await Deno.makeTempDir({ prefix: "almenad-bench-" }) };
}

class Publisher implements AsyncDisposable {
  readonly #child: LineProcess;
  #done = 0;

  constructor(dataDir: string) {
    const module = fileURLToPath(import.meta.resolve("./event_publisher.ts"));
    const command = [Deno.execPath(), "run", "-A", "--unstable-net", module, dataDir];
    this.#child = new LineProcess({ command });
  }

  get pid(): number {
    return this.#child.pid;
  }

  async ready(): Promise<void> {
    await this.#child.waitFor("ready line", (line) => line === "ready" || undefined, 20_000);
  }

  /** Publishes so many events, one every so often; 0 is as fast as it goes. */
  async publish(count: number, everyMs: number): Promise<void> {
    const done = `done ${++this.#done}`;
    await this.#child.write(`${count} ${everyMs}`);
    await this.#child.waitFor(done, (line) => line === done || undefined, 60_000);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#child[Symbol.asyncDispose]();
  }
}

/** A subscriber that does nothing but note when each event arrived, so that it is in nobody's way. */
class Subscriber {
  delays: number[] = [];
  readonly #socket: LocalSocket;
  #rest = "";
  #onDelays: (() => void) | undefined;

  private constructor(socket: LocalSocket) {
    this.#socket = socket;
  }

  static async connect(path: string): Promise<Subscriber> {
    const socket = await connectLocal({ path });
    const subscribed = Promise.withResolvers<void>();
    const subscriber = new Subscriber(socket);
    socket.setEncoding("latin1").on("data", (text: string) => {
      const now = performance.timeOrigin + performance.now();
      if (text.startsWith('"Subscribed"')) subscribed.resolve();
      subscriber.#take(text, now);
    });
    socket.once("error", subscribed.reject);
    socket.write('{"Subscribe":{"event_types":["ConfigChanged"]}}\n');
    await subscribed.promise;
    return subscriber;
  }

  /** Waits for so many further events. */
  async delaysOf(count: number): Promise<number[]> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onDelays = () => this.delays.length >= count ? resolve() : undefined;
    this.#onDelays();
    await withDeadline(promise, 60_000, "get every event");
    return this.delays.splice(0);
  }

  pause(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(text: string, now: number): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const [, at] = /"field":"([\d.]+)"/.exec(line) ?? [];
      if (at) this.delays.push(now - Number(at));
    }
    this.#onDelays?.();
  }
}

async function round(publisher: Publisher, clients: readonly Subscriber[]): Promise<number[]> {
  for (const client of clients) client.delays = [];
  const reading = Promise.all(clients.map((client) => client.delaysOf(EVENTS)));
  await publisher.publish(EVENTS, EVERY_MS);
  return (await reading).flat();
}

/** A subscriber that never reads, its socket and its queue full. */
async function stall(
  publisher: Publisher,
  socket: string,
  clients: readonly Subscriber[],
): Promise<Subscriber> {
  const stalled = await Subscriber.connect(socket);
  stalled.pause();
  await publisher.publish(FLOOD, 0);
  const received = () => clients.reduce((sum, { delays }) => sum + delays.length, 0);
  for (let seen = -1; seen !== received();) {
    seen = received();
    await settle(300);
  }
  return stalled;
}

function rowOf(label: string, rounds: readonly (readonly number[])[]): Row {
  const of = (share: number) => median(rounds.map((one) => percentile(one, share)));
  return {
    "who listens": label,
    "p50 ms": of(0.5),
    "p99 ms": of(0.99),
    "max ms": Math.max(...rounds.map((one) => percentile(one, 1))),
  };
}

async function latencies(
  publisher: Publisher,
  socket: string,
  clients: readonly Subscriber[],
): Promise<Row[]> {
  const [first] = clients;
  const found: Record<"one" | "all" | "stalled", number[][]> = { one: [], all: [], stalled: [] };
  await round(publisher, clients); // warm up
  for (let count = 0; count < ROUNDS; count++) {
    found.one.push(await round(publisher, first ? [first] : []));
    found.all.push(await round(publisher, clients));
    const stalled = await stall(publisher, socket, clients);
    found.stalled.push(await round(publisher, clients));
    stalled.close();
  }
  const names = [
    `the first of ${SUBSCRIBERS}`,
    `${SUBSCRIBERS}`,
    `${SUBSCRIBERS} and a stalled one`,
  ];
  const all = [found.one, found.all, found.stalled];
  return all.map((rounds, index) => ({
    ...rowOf(names[index] ?? "", rounds),
    "p99 x without a stalled one": ratio(
      rounds.map((one) => percentile(one, 0.99)),
      found.all.map((one) => percentile(one, 0.99)),
    ),
  }));
}

async function measure({ dataDir }: Prepared): Promise<void> {
  await using publisher = new Publisher(dataDir);
  await publisher.ready();
  const socket = join(dataDir, "daemon", "daemon.sock");
  const first = await Subscriber.connect(socket);
  await round(publisher, [first]);
  await settle(3_000);
  const before = await memoryMib(publisher.pid);
  const connected = Array.from({ length: SUBSCRIBERS - 1 }, () => Subscriber.connect(socket));
  const clients = [first, ...await Promise.all(connected)];
  await round(publisher, clients);
  await settle(3_000);
  const readingMib = (await memoryMib(publisher.pid) - before) / connected.length;
  const rows = await latencies(publisher, socket, clients);
  for (const client of clients) client.pause();
  await publisher.publish(FLOOD, 0);
  await settle(3_000);
  const fullMib = (await memoryMib(publisher.pid) - before) / connected.length;
  printReport(`Events, ${EVENTS} of them, one every ${EVERY_MS} ms, ${ROUNDS} rounds`, rows, [
    "Promised: p99 under 20 ms, with a stalled subscriber as without.",
    `Memory of the daemon a subscriber: ${(readingMib * 1_024).toFixed(0)} KiB that reads, ` +
    `${(fullMib * 1_024).toFixed(0)} KiB when all ${SUBSCRIBERS} stand still with a full queue. ` +
    "Promised: under 1,024 KiB.",
  ]);
  for (const client of clients) client.close();
  await Deno.remove(dataDir, { recursive: true });
}

await onQuietHost(import.meta.url, prepare, measure);
