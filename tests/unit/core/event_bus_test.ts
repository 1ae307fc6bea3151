import assert from "node:assert/strict";
import {
  type BusEvent,
  EventBus,
  SUBSCRIBER_QUEUE,
  type Subscription,
  topicMatches,
} from "../../../src/core/mod.ts";

function newBus(): EventBus {
  return new EventBus(() => "12D3KooWself");
}

/** So many events from the subscription, which has them queued already. */
async function take(subscription: Subscription, count: number): Promise<BusEvent[]> {
  const events: BusEvent[] = [];
  const iterator = subscription[Symbol.asyncIterator]();
  while (events.length < count) {
    const { value, done } = await iterator.next();
    if (done) break;
    events.push(value);
  }
  return events;
}

Deno.test("topicMatches() follows the table of patterns", () => {
  const table: [pattern: string, topic: string, matches: boolean][] = [
    ["*", "peer.connected", true],
    ["", "peer.connected", true],
    ["peer.*", "peer.connected", true],
    ["peer.*", "peer.a.b.c", true],
    ["peer.*", "peer", false],
    ["peer.*", "peers.connected", false],
    ["a.b.*", "a.b.c", true],
    ["a.b.*", "a.b", false],
    ["a.b.*", "a.c.b", false],
    ["peer.connected", "peer.connected", true],
    ["peer.connected", "peer.connected.again", false],
    ["peer.connected", "peer", false],
    ["*.connected", "peer.connected", false],
    ["peer", "peer.connected", false],
  ];
  for (const [pattern, topic, matches] of table) {
    assert.equal(topicMatches(pattern, topic), matches, `"${pattern}" and "${topic}"`);
  }
});

Deno.test("EventBus.publish() gives topic, node, time and payload to who asked for them", async () => {
  const bus = newBus();
  const peers = bus.subscribe("peer.*");
  const core = bus.subscribe("core.started");
  const before = Date.now();
  bus.publish("peer.connected", { peerId: "12D3KooWother" });
  bus.publish("core.started", { version: "1", peerId: "12D3KooWself" });
  const [event] = await take(peers, 1);
  assert.equal(event!.topic, "peer.connected");
  assert.equal(event!.nodeId, "12D3KooWself");
  assert.match(event!.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Date.parse(event!.time) >= before);
  assert.deepEqual({ ...event!.payload }, { peerId: "12D3KooWother" });
  assert.deepEqual((await take(core, 1)).map(({ topic }) => topic), ["core.started"]);
  peers.cancel();
  core.cancel();
});

Deno.test("EventBus.publish() hands out frozen copies", async () => {
  const bus = newBus();
  const subscription = bus.subscribe("*");
  const payload = { peerId: "one" };
  bus.publish("peer.connected", payload);
  payload.peerId = "changed";
  const [event] = await take(subscription, 1);
  assert.equal(event!.payload["peerId"], "one");
  assert.throws(() => (event!.payload as Record<string, unknown>)["peerId"] = "x", TypeError);
  assert.throws(() => (event as { topic: string }).topic = "x", TypeError);
});

Deno.test("EventBus drops the newest events of a reader that stands still, for it alone", async () => {
  const bus = newBus();
  const still = bus.subscribe("*");
  const small = bus.subscribe("*", { buffer: 10 });
  for (let n = 0; n < 2_000; n++) bus.publish("peer.discovered", { peerId: String(n) });
  assert.equal(SUBSCRIBER_QUEUE, 1_024);
  assert.equal(still.dropped, 976);
  assert.equal(small.dropped, 1_990);
  const events = await take(still, 1_024);
  const numbers = events.map(({ payload }) => Number(payload["peerId"]));
  assert.deepEqual(numbers, Array.from({ length: 1_024 }, (_, n) => n));
  const [first] = await take(small, 1);
  assert.equal(first!.payload["peerId"], "0");
});

Deno.test("Subscription iterates in the order of publishing, waiting for what is to come", async () => {
  const bus = newBus();
  const subscription = bus.subscribe("peer.*");
  const reading = take(subscription, 3);
  for (const peerId of ["a", "b", "c"]) {
    await Promise.resolve();
    bus.publish("peer.connected", { peerId });
  }
  assert.deepEqual((await reading).map(({ payload }) => payload["peerId"]), ["a", "b", "c"]);
});

Deno.test("Subscription.cancel() ends the iterator, discards the queue and may be called twice", async () => {
  const bus = newBus();
  const subscription = bus.subscribe("*");
  bus.publish("peer.connected", { peerId: "queued" });
  subscription.cancel();
  subscription.cancel();
  bus.publish("peer.connected", { peerId: "late" });
  assert.deepEqual(await take(subscription, 5), []);
  assert.equal(subscription.dropped, 0);
});

Deno.test("Subscription.cancel() wakes a reader that waits", async () => {
  const subscription = newBus().subscribe("*");
  const reading = take(subscription, 1);
  await Promise.resolve();
  subscription.cancel();
  assert.deepEqual(await reading, []);
});

Deno.test("Subscription is cancelled when its reader leaves the loop", async () => {
  const bus = newBus();
  const subscription = bus.subscribe("*");
  bus.publish("peer.connected", { peerId: "a" });
  for await (const _ of subscription) break;
  for (let n = 0; n < 2_000; n++) bus.publish("peer.connected", { peerId: "b" });
  assert.equal(subscription.dropped, 0);
});

Deno.test("EventBus.publish() does not throw when the node id cannot be read", () => {
  const bus = new EventBus(() => {
    throw new TypeError("no identity yet");
  });
  bus.subscribe("*");
  bus.publish("peer.connected", { peerId: "a" });
});
