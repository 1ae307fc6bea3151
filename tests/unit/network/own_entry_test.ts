import assert from "node:assert/strict";
import type { Libp2p } from "@libp2p/interface";
import { collectOwnProtocols } from "../../../src/network/own_entry.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { createPair, testWithLibp2p } from "../../support/libp2p_pair.ts";

const NOTE = { AgentVersion: new Uint8Array([1]), ProtocolVersion: new Uint8Array([2]) };

/** Counts the times our own entry is written. */
function collecting(node: Libp2p) {
  const clock = new FakeClock();
  let writes = 0;
  const merge = node.peerStore.merge.bind(node.peerStore);
  node.peerStore.merge = (peerId, data, options) => {
    if (peerId.equals(node.peerId)) writes++;
    return merge(peerId, data, options);
  };
  collectOwnProtocols(node, clock);
  const own = async () => (await node.peerStore.get(node.peerId)).protocols;
  return { clock, own, writes: () => writes };
}

const ignore = () => undefined;

testWithLibp2p(
  "collectOwnProtocols() writes many protocols at once, when time has passed",
  async () => {
    await using pair = await createPair();
    const { clock, writes } = collecting(pair.dialer);
    const updated = Promise.withResolvers<readonly string[]>();
    pair.dialer.addEventListener(
      "self:peer:update",
      ({ detail }) => updated.resolve(detail.peer.protocols),
    );
    for (const protocol of ["/c/1", "/a/1", "/b/1"]) await pair.dialer.handle(protocol, ignore);
    assert.equal(writes(), 0);
    await clock.advance(500);
    const protocols = await updated.promise;
    assert.ok(["/a/1", "/b/1", "/c/1"].every((protocol) => protocols.includes(protocol)));
    assert.equal(writes(), 1);
  },
);

testWithLibp2p("collectOwnProtocols() writes before anybody reads, however many read", async () => {
  await using pair = await createPair();
  const { own, writes } = collecting(pair.dialer);
  await pair.dialer.handle("/a/1", ignore);
  for (const protocols of await Promise.all([own(), own()])) {
    assert.ok(protocols.includes("/a/1"));
  }
  await pair.dialer.handle("/b/1", ignore);
  assert.ok((await own()).includes("/b/1"));
  assert.equal(writes(), 2);
});

testWithLibp2p("collectOwnProtocols() forgets what is no longer handled", async () => {
  await using pair = await createPair();
  const { clock, own } = collecting(pair.dialer);
  await pair.dialer.handle("/a/1", ignore);
  await pair.dialer.unhandle("/a/1");
  await clock.advance(500);
  assert.ok(!(await own()).includes("/a/1"));
});

testWithLibp2p("collectOwnProtocols() lets others know every protocol by identify", async () => {
  await using pair = await createPair();
  collecting(pair.dialer);
  await pair.dialer.handle("/a/1", ignore);
  const told = Promise.withResolvers<{ agentVersion?: string; protocols: string[] }>();
  pair.listener.addEventListener("peer:identify", ({ detail }) => told.resolve(detail));
  await pair.connect();
  const { agentVersion, protocols } = await told.promise;
  assert.ok(protocols.includes("/a/1"));
  assert.match(agentVersion ?? "", /libp2p/);
});

testWithLibp2p(
  "collectOwnProtocols() leaves our own note out, and keeps all of others",
  async () => {
    await using pair = await createPair();
    const { dialer: node, listener: other } = pair;
    await node.peerStore.patch(node.peerId, { metadata: {} });
    collecting(node);
    await node.peerStore.merge(node.peerId, { metadata: NOTE });
    await node.peerStore.merge(other.peerId, { metadata: NOTE, protocols: ["/theirs/1"] });
    assert.equal((await node.peerStore.get(node.peerId)).metadata.size, 0);
    const { metadata, protocols } = await node.peerStore.get(other.peerId);
    assert.deepEqual([...metadata.keys()].sort(), ["AgentVersion", "ProtocolVersion"]);
    assert.deepEqual(protocols, ["/theirs/1"]);
  },
);
