/** R2: an honest peer gets in while a stranger attacks. */
import assert from "node:assert/strict";
import type { DaemonInit } from "../support/daemon.ts";
import { Attacker } from "../support/hostile/attacker_process.ts";
import { BesiegedDaemon } from "../support/hostile/besieged_daemon.ts";
import { sized } from "../support/hostile/seeded.ts";
import { Lan, testInNetns } from "../support/netns.ts";
import { started } from "../support/started.ts";

const VISITS = sized(14, 100);
const STORM_MS = sized(7_000, 60_000);

/** A daemon, and two hosts that are not it. */
async function siege(init: DaemonInit = {}) {
  const stack = new AsyncDisposableStack();
  const lan = stack.use(await Lan.create(["victim", "foe", "friend"]));
  const [daemon, foe, friend] = await started(
    BesiegedDaemon.start({ netns: lan.host("victim").namespace, ...init }),
    Attacker.start(lan.host("foe").namespace),
    Attacker.start(lan.host("friend").namespace),
  );
  for (const one of [daemon, foe, friend]) stack.use(one);
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
    // 160 files leave 32 for connections: 18 of the swarm.
    await using scene = await siege({ wrapper: ["sh", "-c", 'ulimit -n 160; exec "$@"', "sh"] });
    const { foe, friend, address, daemon } = scene;
    const { open } = await foe.ask<{ open: number }>("manyIdentities", { address, count: 40 });
    assert.ok(open >= 17, `${open} connections of the foe`);
    const visits = await friend.ask("strangerCycles", { address, count: 5, atOnce: 1 });
    assert.equal(visits["done"], 5);
    await daemon.assertUnharmed();
  },
);
