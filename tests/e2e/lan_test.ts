/** Whole daemons on several hosts: who sees whom, while the network changes under them. */
import assert from "node:assert/strict";
import { type DaemonProcess, runAlmenad, startDaemon } from "../support/daemon.ts";
import { Lan, type LanInit, testInNetns } from "../support/netns.ts";
import { waitFor } from "../support/wait.ts";

/** Promised: two daemons know each other at the latest so long after the second is ready. */
const FOUND_WITHIN_MS = 6_000;
/** Promised: a peer that vanished shows as disconnected within this. */
const MISSED_WITHIN_MS = 60_000;
/** Promised: all pairs are connected again so long after a partition heals (R13). */
const HEALED_WITHIN_MS = 15_000;
/** Each listener is looked after this often; three failures end the daemon. */
const WATCHED_EVERY_MS = 10_000;
/** Each look is a process of its own on the host, and must not be what the machine is busy with. */
const LOOK_EVERY_MS = 200;

interface Peer {
  readonly peer_id: string;
  readonly addresses: readonly string[];
  readonly is_internal: boolean;
  readonly is_connected: boolean;
  readonly is_self: boolean;
}

/** Daemons of one LAN, by host name. */
class Neighbours implements AsyncDisposable {
  readonly lan: Lan;
  readonly #daemons = new Map<string, DaemonProcess>();

  constructor(lan: Lan) {
    this.lan = lan;
  }

  static async on(hosts: readonly string[], init: LanInit = {}): Promise<Neighbours> {
    const neighbours = new Neighbours(await Lan.create([...hosts], init));
    const starts = await Promise.allSettled(hosts.map((host) => neighbours.start(host)));
    const failure = starts.find(({ status }) => status === "rejected");
    if (!failure) return neighbours;
    await neighbours[Symbol.asyncDispose]();
    throw (failure as PromiseRejectedResult).reason;
  }

  async start(host: string): Promise<void> {
    const netns = this.lan.host(host).namespace;
    this.#daemons.set(host, await startDaemon({ netns }));
  }

  daemon(host: string): DaemonProcess {
    const daemon = this.#daemons.get(host);
    assert.ok(daemon, `no daemon on ${host}`);
    return daemon;
  }

  async peersOf(host: string): Promise<readonly Peer[]> {
    const url = this.daemon(host).url("/api/v1/network/peers");
    const { stdout } = await this.lan.run(host, ["curl", "-s", "--max-time", "3", url]);
    return (JSON.parse(stdout || '{"peers":[]}') as { peers: Peer[] }).peers;
  }

  async see(host: string, other: string): Promise<Peer | undefined> {
    const id = this.daemon(other).ready.peer_id;
    return (await this.peersOf(host)).find((peer) => peer.peer_id === id);
  }

  async areConnected(hosts: readonly string[]): Promise<boolean> {
    for (const host of hosts) {
      for (const other of hosts) {
        if (host !== other && !(await this.see(host, other))?.is_connected) return false;
      }
    }
    return true;
  }

  async connected(hosts: readonly string[], timeoutMs: number): Promise<void> {
    const areConnected = () => this.areConnected(hosts);
    await waitFor(`connection between ${hosts}`, areConnected, timeoutMs, LOOK_EVERY_MS);
  }

  async disconnected(host: string, other: string, timeoutMs: number): Promise<void> {
    const isGone = async () => (await this.see(host, other))?.is_connected === false;
    await waitFor(`loss of ${other} on ${host}`, isGone, timeoutMs, LOOK_EVERY_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#daemons.values()) await daemon[Symbol.asyncDispose]();
    await this.lan[Symbol.asyncDispose]();
  }
}

const ALL = ["alice", "bob", "carol"];

testInNetns(
  "Three daemons find each other, miss one that is cut off, and find it again",
  async () => {
    await using neighbours = await Neighbours.on(ALL);
    await neighbours.connected(ALL, FOUND_WITHIN_MS);
    for (const peer of await neighbours.peersOf("alice")) assert.equal(peer.is_internal, true);

    await neighbours.lan.cut("carol");
    await neighbours.disconnected("alice", "carol", MISSED_WITHIN_MS);
    await neighbours.disconnected("carol", "alice", MISSED_WITHIN_MS);
    assert.equal(await neighbours.areConnected(["alice", "bob"]), true);

    await neighbours.lan.heal("carol");
    await neighbours.connected(ALL, HEALED_WITHIN_MS);
  },
);

testInNetns("A daemon that ends is disconnected within 2 s, and its entry stays", async () => {
  await using neighbours = await Neighbours.on(["alice", "bob"]);
  await neighbours.connected(["alice", "bob"], FOUND_WITHIN_MS);
  await neighbours.daemon("bob").stop();
  await neighbours.disconnected("alice", "bob", 2_000);
  assert.ok(await neighbours.see("alice", "bob"));
});

testInNetns("A daemon that is killed is disconnected within 60 s", async () => {
  await using neighbours = await Neighbours.on(["alice", "bob"]);
  await neighbours.connected(["alice", "bob"], FOUND_WITHIN_MS);
  await neighbours.daemon("bob").kill();
  await neighbours.disconnected("alice", "bob", MISSED_WITHIN_MS);
});

for (
  const [what, init] of [
    ["without a default route", { hasDefaultRoute: false }],
    ["with a default route that leads nowhere", { hasDefaultRoute: true }],
    ["without IPv6", { hasIpv6: false }],
    ["without IPv4", { hasIpv4: false }],
  ] as const
) {
  testInNetns(`Two daemons find each other ${what}`, async () => {
    await using neighbours = await Neighbours.on(["alice", "bob"], init);
    await neighbours.connected(["alice", "bob"], FOUND_WITHIN_MS);
  });
}

testInNetns("A daemon whose address changes is found at the new one", async () => {
  await using neighbours = await Neighbours.on(["alice", "bob"], { hasIpv6: false });
  const { lan } = neighbours;
  await neighbours.connected(["alice", "bob"], FOUND_WITHIN_MS);
  // In this order: with its first address Linux drops the others of the same subnet.
  await lan.removeAddress("bob", `${lan.host("bob").ipv4}/24`);
  await lan.addAddress("bob", "10.77.0.99/24");
  const isKnown = async () =>
    (await neighbours.see("alice", "bob"))?.addresses.some((one) => one.includes("/10.77.0.99/"));
  await waitFor("the new address of bob", isKnown, HEALED_WITHIN_MS, LOOK_EVERY_MS);
  await neighbours.connected(["alice", "bob"], MISSED_WITHIN_MS);
});

testInNetns(
  "A daemon with a place at another host's relay takes only its own ports for its own",
  async () => {
    await using lan = await Lan.create(["alice", "bob"], { hasIpv6: false });
    const config = "relay = true\n";
    const start = (host: string) => startDaemon({ netns: lan.host(host).namespace, config });
    await using relay = await start("alice");
    await using hidden = await start("bob");
    const address = relay.ready.p2p_addrs.find((one) => one.includes(lan.host("alice").ipv4));
    const place = `${address}/p2p/${relay.ready.peer_id}`;
    const call = ["--data-dir", hidden.dataDir, "relay", "reserve", place];
    const { code, stderr } = await runAlmenad(call);
    assert.equal(code, 0, stderr);
    await new Promise((resolve) => setTimeout(resolve, WATCHED_EVERY_MS + 2_000));
    assert.doesNotMatch(hidden.stderr, /Own listener does not answer/);
  },
);
