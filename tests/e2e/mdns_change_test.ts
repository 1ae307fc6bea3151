/** mDNS while the network changes under it. */
import assert from "node:assert/strict";
import { findEachOther, MdnsNode } from "../support/mdns_node.ts";
import { Lan, testInNetns } from "../support/netns.ts";
import { pause } from "../../src/core/mod.ts";

/** A change is noticed within five seconds, and asked about again for three more. */
const CHANGE_WITHIN_MS = 10_000;
/** Interfaces are read again so often; only then a change can be answered. */
const NOTICE_MS = 5_500;

async function withPair(
  work: (lan: Lan, alice: MdnsNode, bob: MdnsNode) => Promise<void>,
): Promise<void> {
  await using lan = await Lan.create(["alice", "bob"]);
  await using alice = await MdnsNode.start(lan, "alice");
  await using bob = await MdnsNode.start(lan, "bob");
  await findEachOther(alice, bob);
  await work(lan, alice, bob);
  for (const node of [alice, bob]) {
    const problems = node.events("log").filter(({ level }) => level === "error");
    assert.deepEqual(problems, []);
  }
}

testInNetns(
  "MdnsDiscovery announces peers again after a partition",
  () =>
    withPair(async (lan, alice, bob) => {
      await lan.cut("bob");
      await pause(NOTICE_MS); // longer than one round, so that nothing is on its way
      const healedAt = Date.now();
      assert.equal(alice.events("discovered").at(-1)!.epochMs < healedAt - 1_000, true);
      await lan.heal("bob");
      await findEachOther(alice, bob, { since: healedAt, timeoutMs: CHANGE_WITHIN_MS });
    }),
);

testInNetns(
  "MdnsDiscovery goes on when its interface was down",
  () =>
    withPair(async (lan, alice, bob) => {
      await lan.setInterface("bob", "down");
      await bob.waitFor(
        "trouble with the link",
        ({ event, message, properties }) =>
          event === "log" && String(message).includes("does not work") &&
          (properties as { link: string }).link.startsWith("eth0"),
        NOTICE_MS,
      );
      const upAt = Date.now();
      await lan.setInterface("bob", "up");
      await findEachOther(alice, bob, { since: upAt, timeoutMs: CHANGE_WITHIN_MS });
    }),
);

testInNetns(
  "MdnsDiscovery takes up an interface that is plugged in again",
  () =>
    withPair(async (lan, alice, bob) => {
      await lan.unplug("bob");
      await lan.plug("bob");
      const pluggedAt = Date.now();
      await findEachOther(alice, bob, { since: pluggedAt, timeoutMs: CHANGE_WITHIN_MS });
    }),
);

testInNetns("MdnsDiscovery starts without an interface and takes up the first", async () => {
  await using lan = await Lan.create(["alice", "bob"]);
  await lan.unplug("bob");
  await using alice = await MdnsNode.start(lan, "alice");
  await using bob = await MdnsNode.start(lan, "bob");
  await lan.plug("bob");
  await findEachOther(alice, bob, { since: Date.now(), timeoutMs: CHANGE_WITHIN_MS });
});

testInNetns("MdnsDiscovery announces a new address", () =>
  withPair(async (lan, alice, bob) => {
    await lan.removeAddress("bob", "10.77.0.2/24");
    await lan.addAddress("bob", "10.77.0.9/24");
    const changedAt = Date.now();
    await alice.finds(bob, {
      since: changedAt,
      address: "/ip4/10.77.0.9/tcp/4001",
      timeoutMs: CHANGE_WITHIN_MS,
    });
    await bob.finds(alice, { since: changedAt + 100, timeoutMs: CHANGE_WITHIN_MS });
  }));

testInNetns("MdnsDiscovery speaks on each subnet of one interface", async () => {
  await using lan = await Lan.create(["alice", "bob"], { hasIpv6: false });
  await lan.addAddress("alice", "10.78.0.1/24");
  await lan.removeAddress("bob", "10.77.0.2/24");
  await lan.addAddress("bob", "10.78.0.2/24");
  await using alice = await MdnsNode.start(lan, "alice");
  await using bob = await MdnsNode.start(lan, "bob");
  const [aliceFinds, bobFinds] = await findEachOther(alice, bob);
  assert.deepEqual(aliceFinds.addresses, ["/ip4/10.78.0.2/tcp/4001"]);
  assert.deepEqual(bobFinds.addresses, ["/ip4/10.78.0.1/tcp/4001"]);
});

testInNetns("MdnsDiscovery runs on when no interface takes multicast", async () => {
  await using lan = await Lan.create(["alice", "bob"]);
  await lan.unplug("bob");
  await lan.run("bob", ["ip", "link", "set", "lo", "down"]);
  await using alice = await MdnsNode.start(lan, "alice");
  await using bob = await MdnsNode.start(lan, "bob");
  await pause(NOTICE_MS + 5_000); // two rounds
  const warnings = bob.events("log").filter(({ level }) => level === "warning");
  assert.equal(warnings.length, 1);
  await lan.plug("bob");
  await findEachOther(alice, bob, { since: Date.now(), timeoutMs: CHANGE_WITHIN_MS });
});
