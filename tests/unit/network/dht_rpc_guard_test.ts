import type { PeerId } from "@libp2p/interface";
import assert from "node:assert/strict";
import { type DhtRpc, guardRpc } from "../../../src/network/dht/rpc_guard.ts";
import { PeerBudgets } from "../../../src/network/peer_budgets.ts";

const PEER = { toString: () => "peer" } as PeerId;

Deno.test("guardRpc() answers late who asks too much, and cuts what a message names", async () => {
  const rate = { perSecond: 100, burst: 5 };
  const budgets = new PeerBudgets({ monotonic: () => performance.now() }, {
    ...{ what: "tests", units: rate, bytes: rate },
  });
  const messages: { providers?: readonly { multiaddrs: readonly Uint8Array[] }[] }[] = [];
  let merges = 0;
  const peerStore = {
    merge: () => {
      merges++;
      return Promise.resolve({ id: PEER, addresses: [], protocols: [] } as never);
    },
  };
  const rpc: DhtRpc = {
    handlers: { ADD_PROVIDER: { peerStore } },
    handleMessage: (_peerId, message) => Promise.resolve(messages.push(message)),
  };
  guardRpc(rpc, budgets);
  const multiaddrs = Array.from({ length: 1_000 }, () => Uint8Array.of(1));
  const providers = Array.from({ length: 1_000 }, () => ({ multiaddrs }));
  const begun = performance.now();
  for (let at = 0; at < 15; at++) await rpc.handleMessage(PEER, { providers });
  const took = performance.now() - begun;
  assert.ok(took >= 90, `${took} ms`);
  assert.equal(messages.length, 15);
  assert.equal(messages[0]?.providers?.length, 20);
  assert.equal(messages[0]?.providers?.[0]?.multiaddrs.length, 32);
  const { ADD_PROVIDER: handler } = rpc.handlers;
  await handler.peerStore.merge(PEER, {});
  await handler.peerStore.merge(PEER, {});
  assert.equal(merges, 1);
});
