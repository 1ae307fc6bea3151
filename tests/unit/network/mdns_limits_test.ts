import assert from "node:assert/strict";
import {
  MAX_KNOWN_PACKETS,
  MAX_PACKETS_PER_SOURCE,
  MAX_SOURCES,
  MAX_STRANGER_PACKETS_PER_INTERFACE,
  PacketLimiter,
  SlidingLimit,
} from "../../../src/network/mdns_limits.ts";

function count(times: number, admit: (index: number) => unknown): number {
  return Array.from({ length: times }, (_, index) => admit(index)).filter((refusal) =>
    refusal === undefined
  ).length;
}

Deno.test("PacketLimiter.admit() lets 50 packets a second of one source through", () => {
  const limiter = new PacketLimiter();
  assert.equal(count(1_000, () => limiter.admit("a", "eth0", 0)), MAX_PACKETS_PER_SOURCE);
  assert.equal(limiter.admit("a", "eth0", 999), "source_rate");
  assert.equal(limiter.admit("b", "eth0", 999), undefined);
  assert.equal(limiter.admit("a", "eth0", 1_000), undefined);
});

Deno.test("PacketLimiter.admit() lets 200 strangers' packets a second of an interface through", () => {
  const limiter = new PacketLimiter();
  const admitted = count(1_000, (index) => limiter.admit(`s${index}`, "eth0", 0));
  assert.equal(admitted, MAX_STRANGER_PACKETS_PER_INTERFACE);
  assert.equal(limiter.admit("late", "eth0", 500), "interface_rate");
  assert.equal(limiter.admit("late", "eth1", 500), undefined);
});

Deno.test("PacketLimiter.admit() hears known peers through a flood of strangers, within a bound", () => {
  const limiter = new PacketLimiter();
  for (let index = 0; index < 100; index++) limiter.addKnownSource(`k${index}`);
  count(1_000, (index) => limiter.admit(`s${index}`, "eth0", 0));
  assert.equal(limiter.admit("k1", "eth0", 1), undefined);
  const admitted = count(10_000, (index) => limiter.admit(`k${index % 100}`, "eth0", 2));
  assert.equal(admitted, MAX_KNOWN_PACKETS - 1);
});

Deno.test("PacketLimiter.admit() counts a bounded number of sources", () => {
  const limiter = new PacketLimiter();
  for (let index = 0; index < MAX_SOURCES; index++) limiter.admit(`s${index}`, "eth0", 0);
  assert.equal(limiter.admit("one more", "eth1", 0), "source_rate");
});

Deno.test("SlidingLimit.take() holds in every second, also across seconds of the clock", () => {
  const limit = new SlidingLimit(10);
  const taken = Array.from({ length: 300 }, (_, index) => index * 10)
    .filter((time) => limit.take(time));
  for (const end of taken) {
    assert.ok(taken.filter((time) => time > end - 1_000 && time <= end).length <= 10);
  }
  assert.equal(taken.length, 30);
});
