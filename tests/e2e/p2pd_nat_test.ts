/** p2pds behind routers that masquerade, on an internet of namespaces: relay, then a direct connection. */
import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import process from "node:process";
import { isPrepared, peerNeed } from "../support/foreign_peers.ts";
import { GO_P2PD } from "../support/go_p2pd.ts";
import { MINIUPNPD, Miniupnpd } from "../support/miniupnpd.ts";
import { Internet, natNeeds } from "../support/nat.ts";
import { testNeeding } from "../support/needs.ts";
import { P2pd, type P2pdKind } from "../support/p2pd_process.ts";
import { waitFor } from "../support/wait.ts";

const PROTOCOL = "/nat/echo";
const goP2pd = { name: "Go p2pd", isMet: isPrepared(GO_P2PD) };

/** Starts p2pds on an internet; `relay` is a host on it. */
class Peers {
  readonly #internet: Internet;

  constructor(internet: Internet) {
    this.#internet = internet;
  }

  start(name: string, flags: readonly string[] = [], kind: P2pdKind = "almenad"): Promise<P2pd> {
    return P2pd.start(kind, {
      flags,
      netns: this.#internet.namespace(name),
      hostAddrs: `/ip4/${this.#internet.address(name)}/tcp/4001`,
    });
  }

  relay(kind: P2pdKind = "almenad"): Promise<P2pd> {
    return this.start("relay", ["-dhtServer", "-forceReachabilityPublic"], kind);
  }

  /** One that has a place at the relay and echoes. */
  async hidden(name: string, relay: P2pd): Promise<P2pd> {
    const trusted = `${relay.info.addrs[0]}/p2p/${relay.peerId}`;
    const p2pd = await this.start(name, [
      ...["-dhtClient", "-autoRelay", `-trustedRelays=${trusted}`, "-forceReachabilityPrivate"],
      ...["-b", `-bootstrapPeers=${trusted}`],
    ]);
    await waitFor("a place at the relay", async () => {
      const { addrs } = await p2pd.client.info();
      return addrs.some((addr) => addr.includes("/p2p-circuit"));
    }, 30_000);
    await p2pd.client.registerStreamHandler([PROTOCOL], ({ socket }) => void socket.pipe(socket));
    return p2pd;
  }
}

function circuit(relay: P2pd): string {
  return `${relay.info.addrs[0]}/p2p/${relay.peerId}/p2p-circuit`;
}

async function addressesOf(from: P2pd, to: P2pd): Promise<string[]> {
  const peers = await from.client.listPeers();
  return peers.filter(({ peerId }) => peerId === to.peerId).flatMap(({ addrs }) => addrs);
}

/** Writes and waits for the same to come back. */
async function echoed(socket: Duplex, text: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let seen = "";
  const onData = (chunk: Uint8Array) => {
    seen += new TextDecoder().decode(chunk);
    if (seen === text) resolve();
  };
  const onEnd = () => reject(new assert.AssertionError({ message: `it ended after "${seen}"` }));
  socket.on("data", onData).once("close", onEnd).once("end", onEnd);
  socket.write(text);
  await promise;
  socket.off("data", onData).off("close", onEnd).off("end", onEnd);
}

async function direct(from: P2pd, to: P2pd): Promise<string> {
  let addresses: string[] = [];
  await waitFor("a direct connection, and no other", async () => {
    addresses = await addressesOf(from, to);
    return addresses.length === 1 && !addresses[0]?.includes("/p2p-circuit");
  }, 15_000);
  return addresses[0] ?? "";
}

const isFull = process.env["ALMENAD_FULL"] === "1";

for (const relayKind of isFull ? ["almenad", "go"] as const : ["almenad"] as const) {
  const needs = relayKind === "go" ? [...natNeeds(), goP2pd] : natNeeds();
  const name = `p2pd NAT: two behind routers and an ${relayKind} relay are connected directly`;
  testNeeding(needs, name, async () => {
    await using internet = await Internet.create({ hosts: ["relay"], homes: ["alice", "bob"] });
    const peers = new Peers(internet);
    await using relay = await peers.relay(relayKind);
    await using bob = await peers.hidden("bob", relay);
    await using alice = await peers.hidden("alice", relay);

    await alice.client.connect(bob.peerId, [circuit(relay)], 15);
    const early = await alice.client.streamOpen(bob.peerId, [PROTOCOL], 10);
    await echoed(early.socket, "through the relay");

    await waitFor("a direct connection", async () => {
      const addresses = await addressesOf(bob, alice);
      return addresses.some((address) => !address.includes("/p2p-circuit"));
    }, 15_000);
    await echoed(early.socket, "what was begun goes on");
    const late = await alice.client.streamOpen(bob.peerId, [PROTOCOL], 10);
    await echoed(late.socket, "past the relay");
    early.socket.destroy();

    const where = await direct(bob, alice);
    assert.ok(where.startsWith(`/ip4/${internet.publicAddress("alice")}/`), where);
    await relay.stop("SIGKILL");
    await echoed(late.socket, "without the relay");
    late.socket.destroy();
  });
}

testNeeding(
  natNeeds(),
  "p2pd NAT: a public caller is dialled back by whom it relays to",
  async () => {
    await using internet = await Internet.create({ hosts: ["relay", "carol"], homes: ["bob"] });
    const peers = new Peers(internet);
    await using relay = await peers.relay();
    await using bob = await peers.hidden("bob", relay);
    await using carol = await peers.start("carol", ["-dhtClient"]);
    assert.deepEqual(carol.info.addrs, [`/ip4/${internet.address("carol")}/tcp/4001`]);
    await carol.client.connect(bob.peerId, [circuit(relay)], 15);
    const { socket } = await carol.client.streamOpen(bob.peerId, [PROTOCOL], 10);
    await echoed(socket, "through the relay");
    socket.destroy();
    const where = await direct(carol, bob);
    assert.ok(where.startsWith(`/ip4/${internet.publicAddress("bob")}/`), where);
  },
);

testNeeding(
  natNeeds(),
  "p2pd NAT: a router that changes ports keeps its host on the relay",
  async () => {
    await using internet = await Internet.create({ hosts: ["relay"], homes: ["alice", "bob"] });
    for (const name of ["alice", "bob"]) await internet.scramblePorts(name);
    const peers = new Peers(internet);
    await using relay = await peers.relay();
    await using bob = await peers.hidden("bob", relay);
    await using alice = await peers.hidden("alice", relay);
    await alice.client.connect(bob.peerId, [circuit(relay)], 15);
    const { socket } = await alice.client.streamOpen(bob.peerId, [PROTOCOL], 10);
    // Longer than one try to punch takes to fail.
    const end = performance.now() + 7_000;
    while (performance.now() < end) {
      await echoed(socket, `still here ${performance.now()}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    socket.destroy();
    assert.deepEqual(await addressesOf(alice, bob), [circuit(relay)]);
  },
);

/** What a p2pd thinks of its own reachability; it tells on SIGUSR2. */
async function reachability(p2pd: P2pd): Promise<string> {
  Deno.kill(p2pd.process.pid, "SIGUSR2");
  let found = "";
  await waitFor("the report", () => {
    found = p2pd.process.stderr.findLast((line) => line.startsWith("reachability: ")) ?? "";
    return Promise.resolve(found !== "");
  });
  p2pd.process.stderr.length = 0;
  return found.slice("reachability: ".length);
}

// Go's daemon dials for 15 s before it says no.
for (const serverKind of isFull ? ["almenad", "go"] as const : ["almenad"] as const) {
  const needs = serverKind === "go" ? [...natNeeds(), goP2pd] : natNeeds();
  const name = `p2pd NAT: asking an ${serverKind} peer, one at home learns that it is private`;
  testNeeding(needs, `${name}, a public one that it is public`, async () => {
    await using internet = await Internet.create({ hosts: ["relay", "carol"], homes: ["alice"] });
    const peers = new Peers(internet);
    await using server = await peers.start("relay", ["-autonat", "-dhtServer"], serverKind);
    await using alice = await peers.start("alice");
    await using carol = await peers.start("carol");
    assert.equal(await reachability(alice), "unknown");
    for (const one of [alice, carol]) await one.join(server);
    const is = (one: P2pd, state: string) => async () => await reachability(one) === state;
    await waitFor("carol's knowing", is(carol, "public"), 20_000);
    await waitFor("alice's knowing", is(alice, "private"), 30_000);
    assert.equal((await alice.client.listPeers()).length, 1); // it asked, and is connected still
  });
}

const upnpNeeds = [...natNeeds(), peerNeed(MINIUPNPD)];
testNeeding(
  upnpNeeds,
  "p2pd NAT: -natPortMap asks the router for a port, and is reached there",
  async () => {
    await using internet = await Internet.create({ hosts: ["relay"], homes: ["alice"] });
    await using router = await Miniupnpd.start(internet, "alice");
    const peers = new Peers(internet);
    await using caller = await peers.start("relay");
    await using alice = await peers.start("alice", ["-natPortMap"]);
    const outside = `/ip4/${internet.publicAddress("alice")}/tcp/`;
    let mapped = "";
    await waitFor("a mapped address", async () => {
      const { addrs } = await alice.client.info();
      mapped = addrs.find((addr) => addr.startsWith(outside)) ?? "";
      return mapped !== "";
    }, 20_000);
    assert.equal((await router.mappings()).length, 1);
    await caller.client.connect(alice.peerId, [mapped], 10);
    assert.deepEqual(await addressesOf(caller, alice), [mapped]);
    await alice.stop();
    await waitFor("the port's return", async () => (await router.mappings()).length === 0);
  },
);
