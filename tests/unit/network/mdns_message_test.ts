import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { decode, encode } from "dns-packet";
import fc from "fast-check";
import {
  ANSWER_TTL_SECONDS,
  decodeMessage,
  encodeAnnouncement,
  encodeQuery,
  encodeServices,
  MAX_PACKET_BYTES,
  MAX_RECORDS,
  mayConcernPeers,
  META_NAME,
  SERVICE_NAME,
  UNFRAGMENTED_BYTES,
} from "../../../src/network/mdns_message.ts";

const PEER_ID = "12D3KooWB4UkgYwtKUyHkHmEGQabSKCYcLgs5VSzZi17c54ZZnBi";
const PEER_NAME = "k3v0w9q1z7x5c2b8n4m6a0s9d8f7g6h5";

function announce(addresses: readonly string[], ttlSeconds?: number): Uint8Array {
  const init = { peerName: PEER_NAME, peerId: PEER_ID, addresses };
  return encodeAnnouncement(ttlSeconds === undefined ? init : { ...init, ttlSeconds })!;
}

function addressesUpTo(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `/ip4/10.0.0.${index + 1}/tcp/4001`);
}

Deno.test("encodeQuery() asks for PTR records of _p2p._udp.local", () => {
  const packet = decode(Buffer.from(encodeQuery(7)));
  assert.equal(packet.type, "query");
  assert.equal(packet.id, 7);
  assert.deepEqual(packet.questions?.map(({ name, type }) => ({ name, type })), [
    { name: SERVICE_NAME, type: "PTR" },
  ]);
});

Deno.test("encodeAnnouncement() is a PTR answer and one additional TXT record an address", () => {
  const packet = decode(Buffer.from(announce(addressesUpTo(2))));
  const name = `${PEER_NAME}.${SERVICE_NAME}`;
  assert.equal(packet.type, "response");
  assert.ok(packet.flag_aa);
  assert.deepEqual(packet.answers?.map((answer) => ({ ...answer })), [{
    name: SERVICE_NAME,
    type: "PTR",
    ttl: ANSWER_TTL_SECONDS,
    class: "IN",
    flush: false,
    data: name,
  }]);
  const texts = packet.additionals?.map((record) => {
    assert.equal(record.type, "TXT");
    assert.equal(record.name, name);
    return String((record as { data: Buffer[] }).data);
  });
  assert.deepEqual(texts, [
    `dnsaddr=/ip4/10.0.0.1/tcp/4001/p2p/${PEER_ID}`,
    `dnsaddr=/ip4/10.0.0.2/tcp/4001/p2p/${PEER_ID}`,
  ]);
});

Deno.test("encodeAnnouncement() leaves out what no longer fits one packet, the last first", () => {
  const packet = announce(addressesUpTo(200));
  assert.ok(packet.length <= UNFRAGMENTED_BYTES);
  const message = decodeMessage(packet);
  assert.ok(message?.kind === "announcement");
  assert.ok(message.dnsAddrs.length >= 8, `${message.dnsAddrs.length} addresses fit`);
  assert.match(message.dnsAddrs[0]!, /10\.0\.0\.1\//);
});

Deno.test("encodeAnnouncement() has nothing to say without addresses", () => {
  assert.equal(
    encodeAnnouncement({ peerName: PEER_NAME, peerId: PEER_ID, addresses: [] }),
    undefined,
  );
});

Deno.test("encodeAnnouncement() for a resolver echoes its id and question, kept ten seconds", () => {
  const init = { peerName: PEER_NAME, peerId: PEER_ID, addresses: addressesUpTo(1), legacyId: 99 };
  const packet = decode(Buffer.from(encodeAnnouncement(init)!));
  assert.equal(packet.id, 99);
  assert.equal(packet.questions?.[0]?.name, SERVICE_NAME);
  assert.equal((packet.answers?.[0] as { ttl: number }).ttl, 10);
});

Deno.test("decodeMessage() reads what the encoders write", () => {
  assert.deepEqual(decodeMessage(encodeQuery(65_535)), {
    kind: "query",
    id: 65_535,
    asksPeers: true,
    asksServices: false,
    recursionDesired: false,
  });
  assert.deepEqual(decodeMessage(encodeServices()), { kind: "other" });
  assert.deepEqual(decodeMessage(announce(addressesUpTo(1), 0)), {
    kind: "announcement",
    ttlSeconds: 0,
    dnsAddrs: [`/ip4/10.0.0.1/tcp/4001/p2p/${PEER_ID}`],
  });
});

Deno.test("decodeMessage() takes TXT records among the answers, as @libp2p/mdns sends them", () => {
  const name = `peer.${SERVICE_NAME}`;
  const message = decodeMessage(encode({
    type: "response",
    answers: [
      { name: SERVICE_NAME, type: "PTR", ttl: 120, data: name },
      { name, type: "TXT", ttl: 120, data: ["dnsaddr=/ip4/10.0.0.1/tcp/1/p2p/x", "other=1"] },
      {
        name: `foreign.${SERVICE_NAME}`,
        type: "TXT",
        ttl: 120,
        data: "dnsaddr=/ip4/10.0.0.2/tcp/2",
      },
    ],
  }));
  assert.ok(message?.kind === "announcement");
  assert.deepEqual(message.dnsAddrs, ["/ip4/10.0.0.1/tcp/1/p2p/x"]);
});

Deno.test("decodeMessage() compares names without case and follows compression", () => {
  const header = Buffer.from("000084000000000200000000", "hex");
  const service = Buffer.from("\x04_P2P\x04_UDP\x05LOCAL\x00", "latin1"); // at offset 12
  const pointerToService = Buffer.from("c00c", "hex");
  const text = `dnsaddr=/ip4/10.0.0.1/tcp/1/p2p/${PEER_ID}`;
  const ptrData = Buffer.concat([Buffer.from("\x02ab", "latin1"), pointerToService]);
  const ptr = Buffer.concat([
    service,
    Buffer.from("000c0001000000780005", "hex"),
    ptrData,
  ]);
  const instanceAt = 12 + service.length + 10;
  const txt = Buffer.concat([
    Buffer.from([0xc0, instanceAt]),
    Buffer.from("0010800100000078", "hex"), // with the cache-flush bit
    Buffer.from([0, text.length + 1, text.length]),
    Buffer.from(text),
  ]);
  const message = decodeMessage(Buffer.concat([header, ptr, txt]));
  assert.ok(message?.kind === "announcement");
  assert.deepEqual(message.dnsAddrs, [text.slice("dnsaddr=".length)]);
});

Deno.test("decodeMessage() sees the flag of ordinary resolvers and both questions", () => {
  const message = decodeMessage(encode({
    type: "query",
    id: 5,
    flags: 0x0100,
    questions: [
      { name: META_NAME, type: "PTR" },
      { name: "_p2p._udp.local", type: "ANY" as "PTR" },
    ],
  }));
  assert.deepEqual(message, {
    kind: "query",
    id: 5,
    asksPeers: true,
    asksServices: true,
    recursionDesired: true,
  });
});

Deno.test("decodeMessage() refuses packets with too many records, too long, or cut short", () => {
  const many = (count: number) =>
    encode({
      type: "query",
      questions: Array.from(
        { length: count },
        () => ({ name: SERVICE_NAME, type: "PTR" as const }),
      ),
    });
  assert.ok(decodeMessage(many(MAX_RECORDS)));
  assert.equal(decodeMessage(many(MAX_RECORDS + 1)), undefined);
  const query = encodeQuery(1);
  const long = Buffer.concat([query, Buffer.alloc(MAX_PACKET_BYTES - query.length + 1)]);
  assert.equal(decodeMessage(long), undefined);
  assert.ok(decodeMessage(long.subarray(0, MAX_PACKET_BYTES)));
  const packet = announce(addressesUpTo(3));
  for (let length = 0; length < packet.length; length++) {
    assert.equal(decodeMessage(packet.subarray(0, length)), undefined, `cut to ${length}`);
  }
});

Deno.test("decodeMessage() refuses loops and long chains of name pointers", () => {
  const query = (name: Buffer) =>
    Buffer.concat([
      Buffer.from("000000000001000000000000", "hex"),
      name,
      Buffer.from("000c0001", "hex"),
    ]);
  assert.equal(decodeMessage(query(Buffer.from("c00c", "hex"))), undefined); // to itself
  assert.equal(decodeMessage(query(Buffer.from("c00e0000", "hex"))), undefined); // forwards
  assert.equal(decodeMessage(query(Buffer.from("4141", "hex"))), undefined); // unknown label type
});

Deno.test("decodeMessage() spends little time on the most expensive packets", () => {
  // 64 records, each naming the end of a chain of pointers into a name of 127 labels.
  const name = Buffer.concat([Buffer.from("\x01a".repeat(126), "latin1"), Buffer.from([0])]);
  const first = Buffer.concat([name, Buffer.from("000c0001", "hex")]);
  const rest = Buffer.concat(
    Array.from({ length: 63 }, () => Buffer.from("c00c000c0001", "hex")),
  );
  const chained = Buffer.concat([Buffer.from("000000000040000000000000", "hex"), first, rest]);
  // Thousands of empty TXT strings.
  const empties = encode({
    type: "response",
    answers: [{ name: SERVICE_NAME, type: "TXT", ttl: 1, data: Buffer.alloc(0) }],
  });
  const header = Buffer.from(empties.subarray(0, empties.length - 3));
  const strings = Buffer.concat([header, Buffer.from([0x1f, 0x40]), Buffer.alloc(8_000)]);
  const counts = Buffer.from("ffffffffffffffff", "hex");
  const boastful = Buffer.concat([Buffer.from("00008400", "hex"), counts, Buffer.alloc(8_000)]);
  const startedAt = performance.now();
  for (let round = 0; round < 200; round++) {
    assert.ok(decodeMessage(chained));
    assert.ok(decodeMessage(strings));
    assert.equal(decodeMessage(boastful), undefined);
  }
  // What R12 lets through in one second must not take a noticeable part of it, on any machine.
  assert.ok(performance.now() - startedAt < 1_000);
});

Deno.test("decodeMessage() never throws, whatever the bytes", () => {
  const packet = announce(addressesUpTo(4));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
    decodeMessage(bytes);
  }));
  const edits = fc.array(fc.tuple(fc.nat(packet.length - 1), fc.nat(255)), { maxLength: 8 });
  fc.assert(
    fc.property(edits, (edits) => {
      const damaged = Uint8Array.from(packet);
      for (const [at, value] of edits) damaged[at] = value;
      decodeMessage(damaged);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("decodeMessage() agrees with dns-packet on well-formed announcements", () => {
  const label = fc.stringMatching(/^[a-z0-9]{1,20}$/);
  const text = fc.stringMatching(/^dnsaddr=[a-z0-9/.]{8,60}$/);
  const ttl = fc.nat(0x7fff_ffff);
  fc.assert(fc.property(label, fc.array(text, { maxLength: 6 }), ttl, (label, texts, ttl) => {
    const name = `${label}.${SERVICE_NAME}`;
    const bytes = encode({
      type: "response",
      answers: [{ name: SERVICE_NAME, type: "PTR", ttl, data: name }],
      additionals: texts.map((data) => ({ name, type: "TXT", ttl, data })),
    });
    assert.deepEqual(decodeMessage(bytes), {
      kind: "announcement",
      ttlSeconds: ttl,
      dnsAddrs: texts.map((text) => text.slice("dnsaddr=".length)),
    });
  }));
});

Deno.test("mayConcernPeers() passes over other services' packets", () => {
  const other = encode({ type: "query", questions: [{ name: "_ipp._tcp.local", type: "PTR" }] });
  assert.equal(mayConcernPeers(other), false);
  assert.equal(mayConcernPeers(encodeQuery(1)), true);
  assert.equal(mayConcernPeers(encodeServices()), true);
  assert.equal(mayConcernPeers(announce(addressesUpTo(1))), true);
});
