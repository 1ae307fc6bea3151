/** R2: an honest peer gets in while a stranger attacks; and what one peer may have. */
import assert from "node:assert/strict";
import { waitFor } from "../support/wait.ts";
import { Attacker } from "../support/hostile/attacker_process.ts";
import { BesiegedDaemon } from "../support/hostile/besieged_daemon.ts";
import { sized } from "../support/hostile/seeded.ts";
import { Lan, testInNetns } from "../support/netns.ts";

const VISITS = sized(20, 100);
const STORM_MS = sized(10_000, 60_000);

/** A daemon, and two hosts that are not it. */
async function siege() {
  const stack = new AsyncDisposableStack();
  const lan = stack.use(await Lan.create(["victim", "foe", "friend"]));
  const daemon = stack.use(
    await BesiegedDaemon.start({ netns: lan.host("victim").namespace }),
  );
  const foe = stack.use(await Attacker.start(lan.host("foe").namespace));
  const friend = stack.use(await Attacker.start(lan.host("friend").namespace));
  const host = lan.host("victim").ipv4;
  return {
    daemon,
    foe,
    friend,
    target: daemon.swarmTarget(host),
    address: daemon.swarm(host),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

for (const perSecond of [4, 200]) {
  testInNetns(
    `Swarm lets a peer in during 1,000 half-open and ${perSecond} new connections a second`,
    async () => {
      await using scene = await siege();
      const { foe, friend, target, address, daemon } = scene;
      await foe.ask("hold", { target, text: "", count: 1_000 });
      const storm = foe.ask("storm", { target, perSecond, lingerMs: STORM_MS }, STORM_MS + 20_000);
      const times: number[] = [];
      for (let visit = 0; visit < VISITS; visit++) {
        const { done, firstMs } = await friend.ask<{ done: number; firstMs: number }>(
          "strangerCycles",
          { address, count: 1, atOnce: 1 },
        );
        assert.equal(done, 1, `visit ${visit + 1} of ${VISITS} was not answered`);
        times.push(firstMs);
        await friend.ask("pause", { lingerMs: STORM_MS / VISITS / 2 });
      }
      assert.ok(Math.max(...times) < 1_000, `slowest visit: ${Math.max(...times)} ms`);
      assert.ok(await daemon.residentMiB() < 400);
      await storm;
      await foe.ask("release", {});
      await daemon.assertUnharmed();
    },
  );
}

testInNetns(
  "Swarm lets a peer in when one host fills every place with proper connections",
  async () => {
    await using lan = await Lan.create(["victim", "foe", "friend"]);
    await using daemon = await BesiegedDaemon.start({
      netns: lan.host("victim").namespace,
      // 160 files leave 32 for connections: 18 of the swarm.
      wrapper: ["sh", "-c", 'ulimit -n 160; exec "$@"', "sh"],
    });
    await using foe = await Attacker.start(lan.host("foe").namespace);
    await using friend = await Attacker.start(lan.host("friend").namespace);
    const address = daemon.swarm(lan.host("victim").ipv4);
    const { open } = await foe.ask<{ open: number }>("manyIdentities", { address, count: 40 });
    assert.ok(open >= 17, `${open} connections of the foe`);
    const visits = await friend.ask("strangerCycles", { address, count: 5, atOnce: 1 });
    assert.equal(visits["done"], 5);
    await daemon.assertUnharmed();
  },
);

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
