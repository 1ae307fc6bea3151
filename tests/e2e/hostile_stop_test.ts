/** R5: stop is prompt and clean, whatever is under way. */
import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "../support/wait.ts";
import { BesiegedDaemon } from "../support/hostile/besieged_daemon.ts";
import { sized } from "../support/hostile/seeded.ts";

const ROUNDS = sized(2, 50);
const STREAMS = 40;
const WATCHES = 10;

async function busyDaemon(): Promise<BesiegedDaemon> {
  const daemon = await BesiegedDaemon.start();
  const input = { address: daemon.swarm(), target: daemon.grpcTarget, count: STREAMS };
  const busy = await daemon.attacker.ask("busy", input);
  assert.deepEqual(busy, { streams: STREAMS, watches: WATCHES });
  return daemon;
}

async function isGone(path: string): Promise<boolean> {
  return await access(path).then(() => false, () => true);
}

Deno.test(`almenad stops within 2 s, ${STREAMS} streams and ${WATCHES} calls under way, ${ROUNDS} times`, async () => {
  for (let round = 1; round <= ROUNDS; round++) {
    await using daemon = await busyDaemon();
    const { code, ms, stderr } = await daemon.daemon.stop(round % 2 ? "SIGTERM" : "SIGINT");
    assert.equal(code, 0, `round ${round}: ${stderr}`);
    assert.ok(ms < 2_000, `round ${round} took ${ms} ms`);
    for (const name of ["daemon.lock", "daemon.pid"]) {
      assert.ok(await isGone(join(daemon.daemon.dataDir, "daemon", name)), `${name} is left`);
    }
    assert.doesNotMatch(stderr, /uncaught|unhandled/i);
  }
});

Deno.test("almenad ends within 200 ms of a second signal", async () => {
  await using daemon = await busyDaemon();
  daemon.daemon.signal("SIGTERM");
  await waitFor("begin of the stop", async () => (await daemon.log()).includes("Daemon stops"));
  const begun = performance.now();
  await daemon.daemon.stop("SIGTERM");
  const ms = performance.now() - begun;
  assert.ok(ms < 200, `it took ${ms} ms`);
});
