/** R3 and R4: listeners never go deaf, and memory comes back. */
import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";
import type { CycleTimes } from "../support/hostile/cycles.ts";
import { BesiegedDaemon } from "../support/hostile/besieged_daemon.ts";
import { sized } from "../support/hostile/seeded.ts";

const CYCLES = sized(1_000, 20_000);
const MEASURED_MAIN = fileURLToPath(
  new URL("../support/hostile/measured_main.ts", import.meta.url),
);
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));

/** What is done so often, by door. */
const VISITS = {
  "connections to the swarm": (
    d: BesiegedDaemon,
  ) => ["connectAndClose", { target: d.swarmTarget() }],
  "gRPC calls": (d: BesiegedDaemon) => ["grpcCycles", { target: d.grpcTarget }],
  "REST requests": (d: BesiegedDaemon) => ["restCycles", { target: d.rest }],
} as const;

for (const [what, visit] of Object.entries(VISITS)) {
  Deno.test(`almenad answers the last of ${CYCLES} ${what}, each on its own connection, like the first`, async () => {
    await using daemon = await BesiegedDaemon.start();
    const files = await daemon.openFiles();
    const rssBefore = await daemon.residentMiB();
    const [command, input] = visit(daemon) as [string, Record<string, never>];
    const times = await daemon.attacker.ask<CycleTimes>(
      command,
      { ...input, count: CYCLES, atOnce: 8 },
      CYCLES * 50,
    );
    say(what, { ...times, rssBefore, rssAfter: await daemon.residentMiB() });
    assert.deepEqual([times.done, times.failed], [CYCLES, 0]);
    assert.ok(times.lastMs < 5 * times.firstMs + 20, JSON.stringify(times));
    await waitFor("end of all connections", async () => await openConnections(daemon) <= 1);
    await waitFor("files to be closed", async () => await daemon.openFiles() <= files + 4);
    await daemon.assertUnharmed();
  });
}

Deno.test({
  name: "Swarm gives back what handshakes, pings and strangers took",
  ignore: Boolean(process.env["ALMENAD_EXECUTABLE"]), // it measures the source, told to collect
  fn: async () => {
    await using folder = await tempFolder();
    const executable = await measuredDaemon(folder.path);
    await using daemon = await BesiegedDaemon.start({ executable });
    const address = daemon.swarm();
    await daemon.attacker.ask("peerCycles", { address, count: 50, atOnce: 4 }); // code gets compiled
    const before = await heapMiB(daemon);
    const count = sized(100, 3_000);
    const same = await daemon.attacker.ask<CycleTimes>(
      "peerCycles",
      { address, count, atOnce: 4 },
      1e6,
    );
    const other = await daemon.attacker.ask<CycleTimes>(
      "strangerCycles",
      { address, count: sized(50, 1_000), atOnce: 4 },
      1e6,
    );
    say("dial, ping, close", same);
    assert.deepEqual([same.failed, other.failed], [0, 0]);
    let after = Number.NaN;
    await waitFor(
      "heap as before",
      async () => (after = await heapMiB(daemon)) < before + 10,
      70_000,
    );
    say("heap in MiB", { before, after });
    assert.ok(await daemon.residentMiB() < 400);
    await daemon.assertUnharmed();
  },
});

function say(what: string, figures: object): void {
  const rounded = Object.entries(figures).map(([name, value]) => [name, Number(value.toFixed(1))]);
  process.stderr.write(`${what}: ${JSON.stringify(Object.fromEntries(rounded))}\n`);
}

async function openConnections(daemon: BesiegedDaemon): Promise<number> {
  const metrics = await daemon.metrics();
  const doors = ["grpc", "rest", "swarm"];
  return doors.reduce((sum, d) => sum + (metrics.get(`almenad_connections{kind="${d}"}`) ?? 99), 0);
}

// The source, run so that it can be told to collect its garbage.
async function measuredDaemon(folder: string): Promise<string> {
  const path = join(folder, "measured");
  const flags = `-A --unstable-net --no-check --v8-flags=--expose-gc --config "${CONFIG}"`;
  await writeFile(
    path,
    `#!/bin/sh\nexec "${Deno.execPath()}" run ${flags} "${MEASURED_MAIN}" "$@"\n`,
  );
  await chmod(path, 0o700);
  return path;
}

async function heapMiB(daemon: BesiegedDaemon): Promise<number> {
  const lines = () => daemon.daemon.stderr.split("\n").filter((line) => line.includes('"memory"'));
  const known = lines().length;
  daemon.daemon.signal("SIGUSR2");
  const line = await waitFor("memory figures", () => lines()[known]);
  return (JSON.parse(line) as { heapUsed: number }).heapUsed / 2 ** 20;
}
