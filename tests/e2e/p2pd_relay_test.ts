/** A peer that listens nowhere is reached through a relay, ours and the Go daemon's. */
import assert from "node:assert/strict";
import { isPrepared } from "../support/foreign_peers.ts";
import { GO_P2PD } from "../support/go_p2pd.ts";
import { testNeeding } from "../support/needs.ts";
import { P2pd, type P2pdKind } from "../support/p2pd_process.ts";
import { waitFor } from "../support/wait.ts";

const goP2pd = { name: "Go p2pd", isMet: isPrepared(GO_P2PD) };
// A hidden Go daemon announces no relay with a private address, so it takes no part here.
const CASES: readonly (readonly [relay: P2pdKind, hidden: P2pdKind, caller: P2pdKind])[] = [
  ["almenad", "almenad", "almenad"],
  ["go", "almenad", "almenad"],
  ["almenad", "almenad", "go"],
];

for (const [relayKind, hiddenKind, callerKind] of CASES) {
  const needs = [relayKind, hiddenKind, callerKind].includes("go") ? [goP2pd] : [];
  const name = `p2pd relay ${relayKind}: ${callerKind} reaches hidden ${hiddenKind}`;
  testNeeding(needs, name, async () => {
    const flags = ["-dhtServer", "-forceReachabilityPublic"];
    await using relay = await P2pd.start(relayKind, { flags });
    const address = `${relay.info.addrs[0]}/p2p/${relay.peerId}`;
    await using hidden = await P2pd.start(hiddenKind, {
      flags: [
        ...["-noListenAddrs", "-dhtClient", "-autoRelay", `-trustedRelays=${address}`],
        ...["-forceReachabilityPrivate", "-b", `-bootstrapPeers=${address}`],
      ],
    });
    await using caller = await P2pd.start(callerKind, { flags: ["-dhtClient"] });
    await waitFor("a place at the relay", async () => {
      const { addrs } = await hidden.client.info();
      return addrs.some((addr) => addr.includes("/p2p-circuit"));
    }, 30_000);
    await hidden.client.registerStreamHandler(
      ["/hidden"],
      ({ socket }) => void socket.pipe(socket),
    );
    await caller.client.connect(hidden.peerId, [`${address}/p2p-circuit`], 15);
    const { socket } = await caller.client.streamOpen(hidden.peerId, ["/hidden"], 10);
    socket.write("through the relay");
    for await (const chunk of socket) {
      assert.equal(String(chunk), "through the relay");
      break;
    }
    const [seen] = (await caller.client.listPeers()).filter(({ peerId }) =>
      peerId === hidden.peerId
    );
    assert.match(seen?.addrs[0] ?? "", /\/p2p-circuit$/);
  });
}
