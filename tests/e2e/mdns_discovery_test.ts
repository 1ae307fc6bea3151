/** Who finds whom by mDNS, on networks cut off from the machine's own. */
import assert from "node:assert/strict";
import { findEachOther, MdnsNode } from "../support/mdns_node.ts";
import { Lan, type LanHost, testInNetns } from "../support/netns.ts";

function addressesOf({ ipv4, ipv6 }: LanHost): string[] {
  return [`/ip4/${ipv4}/tcp/4001`, `/ip6/${ipv6}/tcp/4001`];
}

testInNetns("MdnsDiscovery.start() finds a neighbour without a default route", async () => {
  await using lan = await Lan.create(["alice", "bob"]);
  await using alice = await MdnsNode.start(lan, "alice");
  await using bob = await MdnsNode.start(lan, "bob");
  const [aliceFinds, bobFinds] = await findEachOther(alice, bob);
  assert.deepEqual([...aliceFinds.addresses].sort(), addressesOf(lan.host("bob")));
  assert.deepEqual([...bobFinds.addresses].sort(), addressesOf(lan.host("alice")));
});

testInNetns("MdnsDiscovery.start() finds a neighbour with a default route", async () => {
  await using lan = await Lan.create(["alice", "bob"], { hasDefaultRoute: true });
  await using alice = await MdnsNode.start(lan, "alice");
  await using bob = await MdnsNode.start(lan, "bob");
  await findEachOther(alice, bob);
});

testInNetns("MdnsDiscovery.start() finds a neighbour without IPv6", async () => {
  await using lan = await Lan.create(["alice", "bob"], { hasIpv6: false });
  await using alice = await MdnsNode.start(lan, "alice");
  await using bob = await MdnsNode.start(lan, "bob");
  const [{ addresses }] = await findEachOther(alice, bob);
  assert.deepEqual(addresses, [`/ip4/${lan.host("bob").ipv4}/tcp/4001`]);
  const { links } = await alice.status();
  assert.deepEqual(
    (links as { family: number; works: boolean }[]).map(({ family, works }) => [family, works]),
    [[4, true], [4, true]],
  );
});

testInNetns("MdnsDiscovery.start() finds a neighbour without IPv4", async () => {
  await using lan = await Lan.create(["alice", "bob"], { hasIpv4: false });
  await using alice = await MdnsNode.start(lan, "alice");
  await using bob = await MdnsNode.start(lan, "bob");
  const [{ addresses }] = await findEachOther(alice, bob);
  assert.deepEqual(addresses, [`/ip6/${lan.host("bob").ipv6}/tcp/4001`]);
});

testInNetns("MdnsDiscovery.start() finds others of its own machine over the loopback", async () => {
  await using lan = await Lan.create(["solo"]);
  await lan.unplug("solo");
  await using one = await MdnsNode.start(lan, "solo", ["/ip4/127.0.0.1/tcp/4001"]);
  await using two = await MdnsNode.start(lan, "solo", ["/ip4/127.0.0.1/tcp/4002"]);
  await using three = await MdnsNode.start(lan, "solo", ["/ip4/0.0.0.0/tcp/4003"]);
  const [{ addresses }] = await findEachOther(one, two);
  assert.deepEqual(addresses, ["/ip4/127.0.0.1/tcp/4002"]);
  await findEachOther(one, three);
  await findEachOther(two, three);
});

testInNetns(
  "MdnsDiscovery.start() announces loopback addresses on the loopback alone",
  async () => {
    await using lan = await Lan.create(["alice", "bob"]);
    const listens = ["/ip4/127.0.0.1/tcp/4001", "/ip4/10.77.0.1/tcp/4001"];
    await using alice = await MdnsNode.start(lan, "alice", listens);
    await using bob = await MdnsNode.start(lan, "bob");
    const { addresses } = await bob.finds(alice);
    assert.deepEqual(addresses, ["/ip4/10.77.0.1/tcp/4001"]);
  },
);

testInNetns("MdnsDiscovery finds @libp2p/mdns and is found by it", async () => {
  await using lan = await Lan.create(["ours", "theirs"], { hasDefaultRoute: true });
  await using ours = await MdnsNode.start(lan, "ours");
  await using theirs = await MdnsNode.startJs(lan, "theirs");
  const [weFind, theyFind] = await findEachOther(ours, theirs);
  assert.match(weFind.addresses.join(), /^\/ip4\/10\.77\.0\.2\/tcp\/\d+$/);
  assert.ok(theyFind.addresses.includes("/ip4/10.77.0.1/tcp/4001"), theyFind.addresses.join());
});

testInNetns("MdnsDiscovery is found by @libp2p/mdns that was there first", async () => {
  await using lan = await Lan.create(["ours", "theirs"], { hasDefaultRoute: true });
  await using theirs = await MdnsNode.startJs(lan, "theirs");
  await using ours = await MdnsNode.start(lan, "ours");
  await findEachOther(ours, theirs);
});

testInNetns("MdnsDiscovery.stop() says goodbye, and neighbours forget at once", async () => {
  await using lan = await Lan.create(["alice", "bob"]);
  await using alice = await MdnsNode.start(lan, "alice");
  await using bob = await MdnsNode.start(lan, "bob");
  await findEachOther(alice, bob);
  await bob.process.stop();
  const isBob = (event: { event: string; peerId: string }) =>
    event.event === "expired" && event.peerId === bob.peerId;
  const expired = await alice.waitFor("bob's goodbye", isBob, 2_000);
  assert.deepEqual([...expired.addresses].sort(), addressesOf(lan.host("bob")));
});
