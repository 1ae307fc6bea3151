/**
 * How long others wait while one TCP connection always has more bytes: a caller on another socket, a
 * file, another thread; with the connection read as it comes, and with the pauses of `LoopTurns`.
 * `ALMENAD_BENCH_SECONDS` (4) each.
 */
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { LoopTurns } from "../../src/core/mod.ts";
import { settle } from "./process_stats.ts";
import { interleave, median, percentile, printReport } from "./report.ts";

const SECONDS = Number(process.env["ALMENAD_BENCH_SECONDS"] ?? 4);
const ROUNDS = 3;
const PIECE_BYTES = 65_536;
/** What decrypting a piece takes, more or less. */
const WORK_MS = 0.1;
const ASKED_EVERY_MS = 5;
const ECHO = `
  const { parentPort } = require("node:worker_threads");
  parentPort.on("message", (message) => parentPort.postMessage(message));
`;

interface Measured {
  readonly mibPerSecond: number;
  readonly waits: Readonly<Record<"socket" | "file" | "thread", number[]>>;
}

/** Sends without end. */
function flood(port: number): void {
  const socket = connect(port, "127.0.0.1");
  const piece = new Uint8Array(PIECE_BYTES);
  const send = () => {
    while (socket.write(piece));
    socket.once("drain", send);
  };
  socket.on("connect", send);
  socket.on("error", () => process.exit(0));
}

/** Asks again and again; tells how long each answer took when its input ends. */
async function ask(port: number): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  const waits: number[] = [];
  let isOver = false;
  process.stdin.on("end", () => isOver = true).resume();
  await repeat(waits, () => isOver, async () => {
    socket.write("?");
    await once(socket, "data");
  });
  process.stdout.write(JSON.stringify(waits));
  process.exit(0);
}

async function repeat(waits: number[], isOver: () => boolean, work: () => Promise<unknown>) {
  while (!isOver()) {
    const begun = performance.now();
    await work();
    waits.push(performance.now() - begun);
    await settle(ASKED_EVERY_MS);
  }
}

function readInTurns(socket: Socket, turns: LoopTurns): void {
  socket.on("data", ({ byteLength }: Uint8Array) => {
    if (!turns.handled(byteLength)) return;
    socket.pause();
    turns.turn().then(() => socket.resume());
  });
}

async function listen(server: ReturnType<typeof createServer>): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

function start(role: "flood" | "ask", port: number): Deno.ChildProcess {
  const args = ["run", "-A", "--no-check", fileURLToPath(import.meta.url), role, String(port)];
  const options = { args, stdin: "piped", stdout: "piped" } as const;
  return new Deno.Command(Deno.execPath(), options).spawn();
}

/** Takes the flood in this process, and measures what else it does meanwhile. */
async function measure(hasTurns: boolean): Promise<Measured> {
  const turns = new LoopTurns();
  let bytes = 0;
  const flooded = createServer((socket) => {
    socket.on("error", () => undefined);
    if (hasTurns) readInTurns(socket, turns);
    socket.on("data", ({ byteLength }: Uint8Array) => {
      bytes += byteLength;
      const until = performance.now() + WORK_MS * byteLength / PIECE_BYTES;
      while (performance.now() < until);
    });
  });
  const asked = createServer({ noDelay: true }, (socket) => {
    socket.on("data", (question: Uint8Array) => socket.write(question));
    socket.on("error", () => undefined);
  });
  const thread = new Worker(ECHO, { eval: true });
  const [flooder, asker] = [
    start("flood", await listen(flooded)),
    start("ask", await listen(asked)),
  ];
  await settle(1_000);
  const waits = { socket: [] as number[], file: [] as number[], thread: [] as number[] };
  const [begun, before] = [performance.now(), bytes];
  const isOver = () => performance.now() - begun > SECONDS * 1_000;
  await Promise.all([
    repeat(waits.file, isOver, () => stat(import.meta.dirname ?? "/")),
    repeat(waits.thread, isOver, () => {
      thread.postMessage(0);
      return once(thread, "message");
    }),
  ]);
  const mibPerSecond = (bytes - before) / 2 ** 20 / ((performance.now() - begun) / 1_000);
  await asker.stdin.close();
  const { stdout } = await asker.output();
  waits.socket = JSON.parse(new TextDecoder().decode(stdout)) as number[];
  flooder.kill("SIGKILL");
  await flooder.output();
  flooded.close();
  asked.close();
  await Promise.all([thread.terminate(), turns.close()]);
  return { mibPerSecond, waits };
}

const [role, port] = process.argv.slice(2);
if (role === "flood") flood(Number(port));
else if (role === "ask") await ask(Number(port));
else {
  const contestants = new Map([["as it comes", false], ["with turns", true]].map((
    [name, hasTurns],
  ) => [String(name), () => measure(hasTurns === true)]));
  const results = await interleave(ROUNDS, contestants);
  const rows = [...results].map(([name, all]) => ({
    reading: name,
    "MiB/s p50": median(all.map(({ mibPerSecond }) => mibPerSecond)),
    ...Object.fromEntries((["socket", "file", "thread"] as const).flatMap((kind) => {
      const waits = all.flatMap((one) => one.waits[kind]);
      return [[`${kind} ms p50`, median(waits)], [`${kind} p99`, percentile(waits, 0.99)]];
    })),
  }));
  printReport("Others wait while a connection always has more bytes", rows, [
    "MiB/s is what the flood still gets through.",
  ]);
  process.exit(0);
}
