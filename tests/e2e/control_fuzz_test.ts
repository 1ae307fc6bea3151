/** Lines of every bad kind at the control socket: each gets its class of error or a clean close. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import process from "node:process";
import fc from "fast-check";
import { MAX_LINE_BYTES } from "../../src/core/mod.ts";
import { memoryMib } from "../bench/process_stats.ts";
import { ControlClient } from "../support/control_client.ts";
import { type DaemonProcess, startDaemon } from "../support/daemon.ts";
import { waitFor } from "../support/wait.ts";

const LINES = process.env["ALMENAD_FULL"] ? 100_000 : 5_000;
const SEED = Number(process.env["ALMENAD_SEED"] ?? Date.now() % 2 ** 31);
/** Lines of one connection. */
const ROUND = 500;
const CLASSES = [
  ...["InvalidRequest", "HandlerNotFound", "DeserializationError", "SerializationError"],
  ...["OperationFailed", "CoreUnavailable", "ValidationError", "SecurityError"],
];
/** Calls that do what a user wants done, not what a fuzz test should. */
const LEFT_OUT = /Shutdown|Unsubscribe|Subscribe|network\.(connect|ping)|core\.geolocation/;

function socketOf({ dataDir }: DaemonProcess): string {
  return join(dataDir, "daemon", "daemon.sock");
}

const json = fc.json({ maxDepth: 6 });
const name = fc.oneof(
  fc.constantFrom("Ping", "Action", "Query", "Stream", "Batch", "Auth", "pING", "", "__proto__"),
  fc.string({ maxLength: 20 }),
);
const method = fc.oneof(
  fc.constantFrom(
    ...["query:core.status.v1", "query:network.peers.v1", "query:libraries.list.v1"],
    ...["action:libraries.create.input.v1", "action:locations.add.input.v1", "query:core.status"],
    ...["action:files.copy.input.v1", "action:jobs.cancel.input.v1", "query:jobs.list.v1"],
    ...["query:constructor.v1", "__proto__", "toString", "query:events.types.v1"],
  ),
  fc.string({ maxLength: 60 }),
);
const payload = fc.oneof(
  json.map((text) => JSON.parse(text) as unknown),
  fc.dictionary(
    fc.constantFrom("name", "dir", "path", "id", "sources", "destination", "job_id", "connected"),
    fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.array(fc.string(), { maxLength: 3 })),
  ),
);
const call = fc.tuple(fc.constantFrom("Query", "Action"), method, payload, fc.option(fc.string()))
  .map(([kind, one, body, libraryId]) =>
    JSON.stringify({ [kind]: { method: one, payload: body, library_id: libraryId } })
  );
const number = fc.constantFrom("1e999", "-1e999", "1e-999", "9".repeat(400), "-0", "NaN", "0x1");
const nested = fc.tuple(
  fc.integer({ min: 1, max: 20_000 }),
  fc.constantFrom("[", '{"a":', '[{"Batch":'),
)
  .map(([depth, open]) => open.repeat(depth));
const closed = fc.integer({ min: 1, max: 20_000 }).map((depth) =>
  `${"[".repeat(depth)}${"]".repeat(depth)}`
);
const inPayload = closed.map((deep) =>
  `{"Query":{"method":"query:core.status.v1","payload":${deep}}}`
);
const cut = fc.tuple(call, fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([text, share]) => text.slice(0, Math.floor(text.length * share)));
const text = fc.oneof(
  { arbitrary: call, weight: 4 },
  { arbitrary: json, weight: 2 },
  fc.tuple(name, json).map(([key, value]) => `{${JSON.stringify(key)}:${value}}`),
  cut,
  number,
  number.map((one) => `{"Query":{"method":"query:core.status.v1","payload":{"x":${one}}}}`),
  nested,
  closed,
  inPayload,
  fc.array(json, { maxLength: 130 }).map((all) => `{"Batch":[${all.join()}]}`),
  fc.string({ unit: "binary", maxLength: 200 }),
).filter((line) => !LEFT_OUT.test(line) && !line.includes("\n"));
const line = fc.oneof(
  { arbitrary: text.map((one) => Buffer.from(one)), weight: 9 },
  { arbitrary: fc.uint8Array({ maxLength: 300 }).map((one) => Buffer.from(one)), weight: 1 },
).filter((one) => !one.includes(0x0a));

// Every line has exactly one answer, or the connection says why it ends.
async function exchange(path: string, lines: readonly Buffer[]): Promise<void> {
  using client = await ControlClient.connect(path);
  const reading = (async () => {
    for (const sent of lines) {
      const shown = sent.subarray(0, 300).toString("latin1");
      checkAnswer(
        await client.next<unknown>(20_000).catch((failure) => {
          throw new assert.AssertionError({ message: `No answer to ${shown}: ${failure}` });
        }),
        shown,
      );
    }
  })();
  for (const one of lines) client.write(Buffer.concat([one, Buffer.from("\n")]));
  await reading;
  assert.equal(await client.ask<unknown>("Ping"), "Pong", "the connection goes on");
}

function checkAnswer(answer: unknown, shown: string): void {
  if (answer === "Pong") return;
  assert.ok(typeof answer === "object" && answer !== null, shown);
  const [kind = "", ...others] = Object.keys(answer);
  assert.deepEqual(others, [], shown);
  if (kind === "JsonOk") return;
  if (kind === "Batch") {
    return (answer as { Batch: unknown[] }).Batch.forEach((one) => checkAnswer(one, shown));
  }
  assert.equal(kind, "Error", `${shown} -> ${JSON.stringify(answer)}`);
  const [errorClass = ""] = Object.keys((answer as { Error: object }).Error);
  assert.ok(CLASSES.includes(errorClass), `${shown} -> ${JSON.stringify(answer).slice(0, 500)}`);
  assert.doesNotMatch(JSON.stringify(answer), /\n? +at .*\.ts:\d+/, "no stack trace");
}

Deno.test(`the control socket answers ${LINES} generated lines, seed ${SEED}`, async () => {
  await using daemon = await startDaemon();
  const path = socketOf(daemon);
  const all = fc.sample(line, { numRuns: LINES, seed: SEED });
  await exchange(path, all.slice(0, ROUND));
  const before = await memoryMib(daemon.pid);
  for (let first = ROUND; first < all.length; first += ROUND) {
    await exchange(path, all.slice(first, first + ROUND));
  }
  await isWell(daemon);
  // What a collector has not come to yet is no leak.
  await waitFor(
    "memory as before",
    async () => !(await memoryMib(daemon.pid) > before + 150),
    60_000,
  );
});

Deno.test("lines too long, cut short and endless are refused, and nobody else suffers", async () => {
  await using daemon = await startDaemon();
  const path = socketOf(daemon);
  const before = await descriptors(daemon.pid);
  const rounds = process.env["ALMENAD_FULL"] ? 100 : 10;
  for (let round = 0; round < rounds; round++) {
    using long = await ControlClient.connect(path);
    long.write(`${"x".repeat(MAX_LINE_BYTES + 1)}\n`);
    assert.match(await long.nextLine(), /^\{"Error":\{"RequestTooLarge":/);
    await long.closed;
    using half = await ControlClient.connect(path);
    half.write('{"Query":{"method":"query:core.st');
    half.end();
    assert.match(await half.nextLine(), /DeserializationError/);
    await half.closed;
    using gone = await ControlClient.connect(path);
    gone.write('{"Query":{"meth');
  }
  await waitFor("every connection's end", async () => await descriptors(daemon.pid) <= before + 1);
  await isWell(daemon);
});

Deno.test("101 connections with 65 waiting requests each: 100 are served in full", async () => {
  await using daemon = await startDaemon();
  const path = socketOf(daemon);
  const clients = await Promise.all(
    Array.from({ length: 101 }, () => ControlClient.connect(path)),
  );
  for (const client of clients) client.write('"Ping"\n'.repeat(65));
  const served = await Promise.all(clients.map(async (client) => {
    for (let count = 0; count < 65; count++) {
      if (await client.nextLine(20_000).catch(() => "closed") === "closed") return count;
    }
    return 65;
  }));
  assert.deepEqual(served.toSorted((a, b) => a - b), [0, ...Array(100).fill(65)]);
  for (const client of clients) client[Symbol.dispose]();
  await isWell(daemon);
});

async function isWell(daemon: DaemonProcess): Promise<void> {
  const client = await waitFor("a place", async () => {
    const one = await ControlClient.connect(socketOf(daemon));
    return await one.ask<unknown>("Ping").catch(() => undefined) === "Pong" && one;
  });
  client[Symbol.dispose]();
  assert.doesNotMatch(daemon.stderr, /[Uu]ncaught|[Uu]nhandled/);
}

async function descriptors(pid: number): Promise<number> {
  if (Deno.build.os !== "linux") return 0;
  let count = 0;
  for await (const _ of Deno.readDir(`/proc/${pid}/fd`)) count++;
  return count;
}
