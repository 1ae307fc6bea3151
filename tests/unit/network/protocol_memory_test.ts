import assert from "node:assert/strict";
import { rememberProtocols } from "../../../src/network/protocol_memory.ts";
import { createPair, testWithLibp2p } from "../../support/libp2p_pair.ts";

const PROTOCOL = "/test/memory/1.0";

testWithLibp2p(
  "rememberProtocols() tells the store of a stream's protocol once, and again after identify",
  async () => {
    await using pair = await createPair();
    await pair.listener.handle(PROTOCOL, (stream) => void stream.close());
    const node = pair.dialer;
    const identified = Promise.withResolvers<void>();
    node.addEventListener("peer:identify", () => identified.resolve());
    const connection = await pair.connect();
    await identified.promise; // its own streams and its answer come first
    let merges = 0;
    const merge = node.peerStore.merge.bind(node.peerStore);
    node.peerStore.merge = (peerId, data, options) => {
      if (data.protocols?.includes(PROTOCOL)) merges++;
      return merge(peerId, data, options);
    };
    rememberProtocols(node);
    for (let n = 0; n < 5; n++) await (await connection.newStream(PROTOCOL)).close();
    assert.equal(merges, 1);
    const { protocols } = await node.peerStore.get(connection.remotePeer);
    assert.ok(protocols.includes(PROTOCOL));
    const detail = { peerId: connection.remotePeer };
    node.dispatchEvent(new CustomEvent("peer:identify", { detail }));
    await (await connection.newStream(PROTOCOL)).close();
    assert.equal(merges, 2);
  },
);
