import type { PeerId, Stream } from "@libp2p/interface";
import assert from "node:assert/strict";
import { type GossipsubParts, guardGossipsub } from "../../../src/network/gossipsub_guard.ts";
import { PeerBudgets } from "../../../src/network/peer_budgets.ts";

const PEER = { toString: () => "peer" } as PeerId;
const MESSAGE = { topic: "wanted", data: Uint8Array.of(1) };

interface Fake {
  readonly router: GossipsubParts;
  readonly handled: unknown[];
  readonly sent: unknown[];
  readonly stream: { writeBufferLength: number };
  readonly counts: { unwanted: number; unsent: number };
}

function guarded(perSecond = 1_000_000): Fake {
  const [handled, sent]: unknown[][] = [[], []];
  const stream = { writeBufferLength: 0 };
  const counts = { unwanted: 0, unsent: 0 };
  const records = new Map<string, unknown>();
  const msgs = new Map<string, unknown>();
  let last = 0;
  const router: GossipsubParts = {
    streamsInbound: new Map(),
    streamsOutbound: new Map([["peer", { rawStream: stream as Stream }]]),
    subscriptions: new Set(["wanted"]),
    seenCache: { entries: new Map() },
    mcache: {
      msgs,
      put: ({ msgIdStr }) => {
        msgs.set(msgIdStr, true);
        return true;
      },
    },
    score: {
      deliveryRecords: {
        records,
        queue: { shift: () => ({ msgId: String(records.keys().next().value) }) },
      },
    },
    pipePeerReadStream: () => Promise.resolve(),
    async handleReceivedRpc(from, { messages }) {
      for (const message of messages) await this.handleReceivedMessage(from, message);
    },
    handleReceivedMessage(_from, message) {
      handled?.push(message);
      router.seenCache.entries.set(String(last), true);
      records.set(String(last++), true);
      return Promise.resolve();
    },
    sendRpc: (_peerId, rpc) => Boolean(sent?.push(rpc)),
  };
  const rate = { perSecond, burst: 10 };
  const budgets = new PeerBudgets({ monotonic: () => performance.now() }, {
    ...{ what: "tests", units: rate, bytes: { perSecond: 1, burst: 1 } },
  });
  guardGossipsub(router, budgets, counts);
  return { router, handled: handled ?? [], sent: sent ?? [], stream, counts };
}

Deno.test("guardGossipsub() passes on what is listened to, and counts the rest", async () => {
  const { router, handled, counts } = guarded();
  const messages = [MESSAGE, { topic: "other" }, MESSAGE];
  await router.handleReceivedRpc(PEER, { subscriptions: [], messages });
  assert.deepEqual(handled, [MESSAGE, MESSAGE]);
  assert.deepEqual(counts, { unwanted: 1, unsent: 0 });
});

Deno.test("guardGossipsub() has a peer that sends too much wait, and loses nothing", async () => {
  const { router, handled } = guarded(200);
  const begun = performance.now();
  const messages = Array.from({ length: 50 }, () => MESSAGE);
  await router.handleReceivedRpc(PEER, { subscriptions: [], messages });
  assert.equal(handled.length, 50);
  const took = performance.now() - begun;
  assert.ok(took > 150, `${took} ms`); // 46 units over the burst, at 200 a second
});

Deno.test("guardGossipsub() sends no messages to a peer that reads none, but the rest", () => {
  const { router, sent, stream, counts } = guarded();
  stream.writeBufferLength = 17 * 1_048_576;
  assert.equal(router.sendRpc("peer", { subscriptions: [], messages: [MESSAGE] }), false);
  assert.equal(router.sendRpc("peer", { subscriptions: ["one"], messages: [] }), true);
  stream.writeBufferLength = 0;
  assert.equal(router.sendRpc("peer", { subscriptions: [], messages: [MESSAGE] }), true);
  assert.equal(sent.length, 2);
  assert.equal(counts.unsent, 1);
});

Deno.test("guardGossipsub() remembers so many messages, and keeps so many bytes", async () => {
  const { router } = guarded();
  const { seenCache, mcache, score } = router;
  for (let at = 0; at < 70_000; at++) {
    seenCache.entries.set(`old ${at}`, true);
    score.deliveryRecords.records.set(`old ${at}`, true);
  }
  await router.handleReceivedMessage(PEER, MESSAGE);
  assert.equal(seenCache.entries.size, 65_536);
  assert.equal(score.deliveryRecords.records.size, 65_536);
  const data = new Uint8Array(1_048_576);
  for (let at = 0; at < 40; at++) mcache.put({ msgIdStr: `${at}` }, { topic: "wanted", data });
  assert.deepEqual([...mcache.msgs.keys()], Array.from({ length: 32 }, (_one, at) => `${at + 8}`));
});

Deno.test("guardGossipsub() keeps a short message, not the frame that it came in", async () => {
  const { router, handled } = guarded();
  const data = new Uint8Array(1_048_576).subarray(5, 10);
  await router.handleReceivedMessage(PEER, { topic: "wanted", data });
  assert.equal((handled[0] as typeof MESSAGE).data.buffer.byteLength, 5);
});
