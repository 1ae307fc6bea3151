/** What one peer may have of a daemon, and what a lack of open files leaves behind. */
import assert from "node:assert/strict";
import { BesiegedDaemon } from "../support/hostile/besieged_daemon.ts";
import { waitFor } from "../support/wait.ts";

Deno.test("Swarm keeps 4 connections of one peer", async () => {
  await using daemon = await BesiegedDaemon.start();
  const input = { address: daemon.swarm(), count: 8 };
  assert.deepEqual(await daemon.attacker.ask("connectionsOfOnePeer", input), { open: 4 });
  await daemon.assertUnharmed();
});

const STREAM_CAPS = { "/almena/geo/1.0": 64, "/ipfs/ping/1.0.0": 2, "/ipfs/id/push/1.0.0": 1 };

for (const [name, cap] of Object.entries(STREAM_CAPS)) {
  Deno.test(`Swarm keeps ${cap} streams of ${name} on a connection`, async () => {
    await using daemon = await BesiegedDaemon.start();
    const input = { address: daemon.swarm(), name, count: cap + 10 };
    const { open } = await daemon.attacker.ask<{ open: number }>("streamsOfOnePeer", input);
    assert.ok(open <= cap, `${open} streams are open`);
    await daemon.assertUnharmed();
  });
}

Deno.test("almenad recovers when its open files run out", async () => {
  await using daemon = await BesiegedDaemon.start({
    wrapper: ["sh", "-c", 'ulimit -n 160; exec "$@"', "sh"],
  });
  for (const target of [daemon.swarmTarget(), daemon.rest, daemon.grpcTarget]) {
    await daemon.attacker.ask("hold", { target, text: "", count: 300 });
  }
  await daemon.attacker.ask("release", {});
  await waitFor("an answer at every door", async () => {
    return await daemon.assertUnharmed().then(() => true, () => false);
  }, 30_000); // the watchdog calls every 10 s, and opens a deaf listener anew
});
