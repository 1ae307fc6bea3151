import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type AnnouncementOutcome,
  EXPIRE_AFTER_MS,
  MAX_ADDRESSES_PER_PEER,
  MAX_STRANGER_DISCOVERIES,
  MAX_STRANGERS,
  MAX_STRANGERS_PER_SOURCE,
  MdnsPeers,
} from "../../../src/network/mdns_peers.ts";

function setUp(known: readonly string[] = []) {
  const peers = new MdnsPeers({ isKnown: (peerId) => known.includes(peerId) });
  const announce = (
    peerId: string,
    now: number,
    given: { source?: string; addresses?: string[]; own?: string[] } = {},
  ): AnnouncementOutcome => {
    const { source = `host of ${peerId}` } = given;
    const { addresses = [`/at/${source}`] } = given;
    const fromSource = new Set(given.own ?? addresses);
    return peers.announce({ peerId, addresses, source, fromSource }, now);
  };
  const goodbye = (peerId: string, source: string, own: string[] = []) =>
    peers.goodbye({ peerId, source, addresses: own, fromSource: new Set(own) });
  return { peers, announce, goodbye };
}

Deno.test("MdnsPeers.announce() passes on every announcement of a known peer", () => {
  const { announce } = setUp(["p"]);
  for (let now = 0; now < 100; now++) assert.equal(announce("p", now).kind, "discovered");
});

Deno.test("MdnsPeers.announce() counts the copies of a stranger's announcement as one", () => {
  const { announce } = setUp();
  assert.equal(announce("p", 0).kind, "discovered");
  assert.equal(announce("p", 1).kind, "repeated");
  assert.equal(announce("p", 999).kind, "repeated");
  assert.equal(announce("p", 1_000).kind, "discovered");
  assert.equal(announce("p", 1_001, { addresses: ["/new"] }).kind, "discovered");
});

Deno.test("MdnsPeers.announce() tells all addresses heard in the last minute", () => {
  const { announce } = setUp(["p"]);
  announce("p", 0, { addresses: ["/one"] });
  const outcome = announce("p", 30_000, { addresses: ["/two"] });
  assert.deepEqual(outcome, { kind: "discovered", addresses: ["/one", "/two"] });
  const later = announce("p", EXPIRE_AFTER_MS, { addresses: ["/two"] });
  assert.deepEqual(later, { kind: "discovered", addresses: ["/two"] });
});

Deno.test("MdnsPeers.announce() passes on at most ten strangers in any second", () => {
  const { announce } = setUp();
  const times: number[] = [];
  for (let now = 0; now < 8_000; now++) {
    if (announce(`p${now}`, now, { source: `s${now}` }).kind === "discovered") times.push(now);
  }
  assert.equal(times.length, 80);
  for (const end of times) {
    const inSecond = times.filter((time) => time > end - 1_000 && time <= end);
    assert.ok(inSecond.length <= MAX_STRANGER_DISCOVERIES);
  }
});

Deno.test("MdnsPeers.announce() remembers 64 strangers; the longest silent makes room", () => {
  const { peers, announce } = setUp();
  for (let index = 0; index <= MAX_STRANGERS; index++) {
    const outcome = announce(`p${index}`, index * 200, { source: `s${index}` });
    assert.ok(outcome.kind === "discovered");
    const evicted = index === MAX_STRANGERS ? { peerId: "p0", addresses: ["/at/s0"] } : undefined;
    assert.deepEqual(outcome.evicted, evicted);
  }
  assert.deepEqual(peers.counts, { known: 0, strangers: MAX_STRANGERS });
});

Deno.test("MdnsPeers.announce() gives one source a share of the places", () => {
  const { peers, announce } = setUp();
  for (let index = 0; index < 1_000; index++) {
    announce(`p${index}`, index * 300, { source: "mallory" });
    peers.expire(0);
  }
  assert.equal(peers.counts.strangers, MAX_STRANGERS_PER_SOURCE);
  assert.equal(announce("honest", 1_000_000, { source: "bob" }).kind, "discovered");
});

Deno.test("MdnsPeers.announce() leaves a part of the second to others than a flooding source", () => {
  const { announce } = setUp();
  for (let index = 0; index < 100; index++) announce(`p${index}`, 0, { source: "mallory" });
  assert.equal(announce("honest", 1, { source: "bob" }).kind, "discovered");
});

Deno.test("MdnsPeers.announce() keeps 32 addresses; those of the source itself win", () => {
  const { announce } = setUp(["p"]);
  const forged = Array.from({ length: 100 }, (_, index) => `/forged/${index}`);
  announce("p", 0, { source: "mallory", addresses: forged, own: [] });
  const outcome = announce("p", 1, { source: "bob", addresses: ["/bob"] });
  assert.ok(outcome.kind === "discovered");
  assert.equal(outcome.addresses.length, MAX_ADDRESSES_PER_PEER);
  assert.ok(outcome.addresses.includes("/bob"));
});

Deno.test("MdnsPeers.announce() takes a stranger that was connected to for a known peer", () => {
  const known: string[] = [];
  const { peers, announce } = setUp(known);
  announce("p", 0);
  known.push("p");
  announce("p", 1);
  assert.deepEqual(peers.counts, { known: 1, strangers: 0 });
});

Deno.test("MdnsPeers.expire() tells peers that were silent for a minute, once", () => {
  const { peers, announce } = setUp(["known"]);
  announce("known", 0);
  announce("stranger", 0);
  announce("speaking", 30_000);
  assert.deepEqual(peers.expire(EXPIRE_AFTER_MS - 1), []);
  assert.deepEqual(peers.expire(EXPIRE_AFTER_MS), [
    { peerId: "known", addresses: ["/at/host of known"] },
    { peerId: "stranger", addresses: ["/at/host of stranger"] },
  ]);
  assert.deepEqual(peers.expire(EXPIRE_AFTER_MS + 1), []);
});

Deno.test("MdnsPeers.announce() discovers a peer anew after it expired", () => {
  const { peers, announce } = setUp(["p"]);
  announce("p", 0);
  peers.expire(EXPIRE_AFTER_MS);
  const outcome = announce("p", EXPIRE_AFTER_MS + 5_000);
  assert.equal(outcome.kind, "discovered");
});

Deno.test("MdnsPeers.goodbye() is taken from the peer's own addresses alone", () => {
  const { peers, announce, goodbye } = setUp(["p"]);
  announce("p", 0, { source: "bob", addresses: ["/bob/1", "/bob/2"], own: ["/bob/1"] });
  assert.equal(goodbye("p", "mallory", ["/mallory"]), undefined);
  assert.equal(goodbye("unknown", "bob"), undefined);
  assert.equal(peers.has("p"), true);
  assert.deepEqual(goodbye("p", "bob"), { peerId: "p", addresses: ["/bob/1", "/bob/2"] });
  assert.equal(peers.has("p"), false);
  announce("p", 1, { source: "bob" });
  assert.ok(goodbye("p", "bob's other address", ["/at/bob"]));
});

Deno.test("MdnsPeers stays within its bounds whatever is announced", () => {
  const step = fc.record({
    peer: fc.nat(200),
    source: fc.nat(20),
    addresses: fc.array(fc.nat(300), { minLength: 1, maxLength: 60 }),
    afterMs: fc.nat(3_000),
    isGoodbye: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const known = Array.from({ length: 20 }, (_, index) => `p${index}`);
    const { peers, announce, goodbye } = setUp(known);
    let now = 0;
    for (const { peer, source, addresses, afterMs, isGoodbye } of steps) {
      now += afterMs;
      const texts = addresses.map((address) => `/${address}`);
      if (isGoodbye) goodbye(`p${peer}`, `s${source}`, texts);
      else {
        const outcome = announce(`p${peer}`, now, { source: `s${source}`, addresses: texts });
        if (outcome.kind !== "discovered") continue;
        assert.ok(outcome.addresses.length > 0);
        assert.ok(outcome.addresses.length <= MAX_ADDRESSES_PER_PEER);
      }
      assert.ok(peers.counts.strangers <= MAX_STRANGERS);
      assert.ok(peers.counts.known <= known.length);
    }
  }));
});
