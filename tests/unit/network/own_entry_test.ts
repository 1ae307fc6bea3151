import assert from "node:assert/strict";
import { leaveOutOwnNote } from "../../../src/network/own_entry.ts";
import { createPair, testWithLibp2p } from "../../support/libp2p_pair.ts";

const note = { AgentVersion: new Uint8Array([1]), ProtocolVersion: new Uint8Array([2]) };

testWithLibp2p(
  "leaveOutOwnNote() keeps the note out of our own entry, and all that is known of others",
  async () => {
    await using pair = await createPair();
    const { dialer: node, listener: other } = pair;
    await node.peerStore.patch(node.peerId, { metadata: {} });
    leaveOutOwnNote(node);
    await node.peerStore.merge(node.peerId, { metadata: note, protocols: ["/ours/1.0"] });
    await node.peerStore.merge(other.peerId, { metadata: note });
    const own = await node.peerStore.get(node.peerId);
    assert.equal(own.metadata.size, 0);
    assert.ok(own.protocols.includes("/ours/1.0"));
    assert.deepEqual([...(await node.peerStore.get(other.peerId)).metadata.keys()].sort(), [
      "AgentVersion",
      "ProtocolVersion",
    ]);
  },
);

testWithLibp2p("leaveOutOwnNote() takes nothing from what identify tells others", async () => {
  await using pair = await createPair();
  leaveOutOwnNote(pair.dialer);
  await pair.dialer.peerStore.patch(pair.dialer.peerId, { metadata: {} });
  const told = Promise.withResolvers<string | undefined>();
  pair.listener.addEventListener(
    "peer:identify",
    ({ detail }) => told.resolve(detail.agentVersion),
  );
  await pair.connect();
  assert.match(await told.promise ?? "", /libp2p/);
});
