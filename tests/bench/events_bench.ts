/**
 * Events from their publishing to 100 subscribers, each with a connection of its own: how late they arrive, with and
 * without one more subscriber that never reads, and what a subscriber costs. Promised: p99 under 20 ms, one stalled
 * subscriber changes nobody else's, under 1 MiB a subscriber.
 *
 * The daemon is made in a process of its own and publishes when it is told to: each event carries the moment of its
 * publishing on the clock of the machine, which both processes share.
 */
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { withDeadline } from "../../src/core/mod.ts";
import { LineProcess } from "../support/line_process.ts";
import { memoryMib, settle } from "./process_stats.ts";
import { onQuietHost } from "./quiet_host.ts";
import { median, percentile, printReport, type Row } from "./report.ts";

const ROUNDS = Number(process.env["ALMENAD_BENCH_ROUNDS"] ?? 5);
const SUBSCRIBERS = 99; // and one connection for the stalled one: 100 are served
const EVENTS = 200;
const EVERY_MS = 20;
/** More than a socket and a queue hold. */
const FLOOD = 20_000;

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
  lagged = false;
  readonly #socket: Socket;
  #rest = "";
  #onDelays: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async connect(path: string): Promise<Subscriber> {
    const socket = connect(path);
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

  /** Waits until it was told what it lost. */
  async untilLagged(): Promise<void> {
    for (let round = 0; !this.lagged && round < 600; round++) await settle(50);
    this.delays = [];
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
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
      else if (line.includes("Lagged")) this.lagged = true;
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

async function rounds(
  label: string,
  publisher: Publisher,
  clients: readonly Subscriber[],
): Promise<Row> {
  await round(publisher, clients); // warm up
  const all: number[][] = [];
  for (let count = 0; count < ROUNDS; count++) all.push(await round(publisher, clients));
  const of = (share: number) => median(all.map((one) => percentile(one, share)));
  return {
    "who listens": label,
    "p50 ms": of(0.5),
    "p99 ms": of(0.99),
    "max ms": Math.max(...all.map((one) => percentile(one, 1))),
  };
}

async function measure({ dataDir }: Prepared): Promise<void> {
  await using publisher = new Publisher(dataDir);
  await publisher.ready();
  const socket = join(dataDir, "daemon", "daemon.sock");
  const first = await Subscriber.connect(socket);
  const rows: Row[] = [await rounds("1 subscriber", publisher, [first])];
  await settle(3_000);
  const before = await memoryMib(publisher.pid);
  const others = await Promise.all(
    Array.from({ length: SUBSCRIBERS - 1 }, () => Subscriber.connect(socket)),
  );
  const clients = [first, ...others];
  rows.push(await rounds(`${SUBSCRIBERS} subscribers`, publisher, clients));
  await settle(3_000);
  const perSubscriber = (await memoryMib(publisher.pid) - before) / others.length;
  const stalled = await Subscriber.connect(socket);
  stalled.pause();
  for (const client of others) client.pause();
  first.pause();
  await publisher.publish(FLOOD, 0);
  await settle(3_000);
  const stalledMib = (await memoryMib(publisher.pid) - before) / (others.length + 1);
  for (const client of clients) {
    client.resume();
    await client.untilLagged();
  }
  rows.push(await rounds(`${SUBSCRIBERS} subscribers and a stalled one`, publisher, clients));
  printReport(`Events, ${EVENTS} of them, one every ${EVERY_MS} ms, ${ROUNDS} rounds`, rows, [
    "Promised: p99 under 20 ms, with a stalled subscriber as without.",
    `Memory of the daemon a subscriber: ${(perSubscriber * 1_024).toFixed(0)} KiB that reads, ` +
    `${(stalledMib * 1_024).toFixed(0)} KiB with a full queue. Promised: under 1,024 KiB.`,
  ]);
  for (const client of [...clients, stalled]) client.close();
  await Deno.remove(dataDir, { recursive: true });
}

await onQuietHost(import.meta.url, prepare, measure);
