import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { decode, type Packet } from "dns-packet";
import { systemRandom } from "../../../src/core/mod.ts";
import { parseIp } from "../../../src/network/addresses.ts";
import { type Link, linksOf } from "../../../src/network/mdns_links.ts";
import { type MdnsQuery, META_NAME, SERVICE_NAME } from "../../../src/network/mdns_message.ts";
import { MdnsResponder } from "../../../src/network/mdns_responder.ts";
import { FakeClock } from "../../support/fake_clock.ts";

const PEER = "12D3KooWB4UkgYwtKUyHkHmEGQabSKCYcLgs5VSzZi17c54ZZnBi";
const NEIGHBOUR = parseIp("10.0.0.9")!;
const QUERY: MdnsQuery = {
  kind: "query",
  id: 0,
  asksPeers: true,
  asksServices: false,
  recursionDesired: false,
};

interface Sent {
  readonly packet: Packet;
  readonly to: { address: string; port: number } | undefined;
}

function setUp(ownAddresses: readonly string[] = ["/ip4/10.0.0.5/tcp/4001"]) {
  const clock = new FakeClock();
  const sent: Sent[] = [];
  const mac = "02:00:00:00:00:01";
  const common = { netmask: "", family: "IPv4" as const, mac, internal: false };
  const links = linksOf({
    eth0: [{ ...common, address: "10.0.0.5", cidr: "10.0.0.5/24" }],
  });
  const responder = new MdnsResponder({
    clock,
    random: systemRandom,
    sockets: {
      send(_link: Link, packet: Uint8Array, to?: { address: string; port: number }) {
        sent.push({ packet: decode(Buffer.from(packet)), to });
        return Promise.resolve(true);
      },
    },
    peerId: PEER,
    ownAddresses: () => ownAddresses,
    linkOf: (key) => links.find((link) => link.key === key),
  });
  const ofType = (type: "query" | "response") => sent.filter(({ packet }) => packet.type === type);
  return { clock, sent, links, responder, ofType };
}

Deno.test("MdnsResponder.ask() asks, and answers its own question once", async () => {
  const { responder, links, ofType } = setUp();
  await responder.ask(links);
  assert.equal(ofType("query").length, 1);
  const [answer] = ofType("response");
  assert.equal(answer?.packet.answers?.[0]?.name, SERVICE_NAME);
  const heard = { ...QUERY, id: ofType("query")[0]!.packet.id! };
  responder.answer(heard, links, parseIp("10.0.0.5")!, 5_353);
  assert.equal(ofType("response").length, 1);
});

Deno.test("MdnsResponder.answer() answers another daemon of the same address", async () => {
  const { responder, links, ofType, clock } = setUp();
  await responder.ask(links);
  const foreign = { ...QUERY, id: (ofType("query")[0]!.packet.id! + 1) & 0xffff };
  await clock.advance(1_000);
  responder.answer(foreign, links, parseIp("10.0.0.5")!, 5_353);
  assert.equal(ofType("response").length, 2);
});

Deno.test("MdnsResponder.answer() answers the group, whatever port the question came from", () => {
  for (const port of [5_353, 40_000]) {
    const { responder, links, sent } = setUp();
    responder.answer({ ...QUERY, id: 1 }, links, NEIGHBOUR, port);
    assert.deepEqual(sent.map(({ to }) => to), [undefined]);
  }
});

Deno.test({
  name: "MdnsResponder.answer() answers an ordinary resolver by unicast",
  ignore: Deno.build.os === "windows",
  fn() {
    const { responder, links, sent } = setUp();
    const query = { ...QUERY, id: 77, recursionDesired: true };
    for (let times = 0; times < 5; times++) responder.answer(query, links, NEIGHBOUR, 40_000);
    assert.equal(sent.length, 1);
    assert.deepEqual(sent[0]!.to, { address: "10.0.0.9", port: 40_000 });
    assert.equal(sent[0]!.packet.id, 77);
  },
});

Deno.test("MdnsResponder.answer() tells which services there are", () => {
  const { responder, links, sent } = setUp();
  const query = { ...QUERY, id: 1, asksPeers: false, asksServices: true };
  responder.answer(query, links, NEIGHBOUR, 5_353);
  const [answer] = sent[0]!.packet.answers!;
  assert.equal(answer?.name, META_NAME);
  assert.equal((answer as { data: unknown }).data, SERVICE_NAME);
});

Deno.test("MdnsResponder.answer() gives at most one answer a second to a flood", async () => {
  const { responder, links, sent, clock } = setUp();
  for (let index = 0; index < 8_000; index++) {
    responder.answer({ ...QUERY, id: 1 }, links, NEIGHBOUR, 5_353);
    await clock.advance(1);
  }
  assert.equal(sent.length, 9); // after 0, 1, … and 8 seconds
});

Deno.test("MdnsResponder says nothing about itself without an address on the link", async () => {
  const { responder, links, ofType } = setUp(["/ip4/127.0.0.1/tcp/4001"]);
  await responder.ask(links);
  responder.answer({ ...QUERY, id: 1 }, links, NEIGHBOUR, 5_353);
  assert.equal(ofType("response").length, 0);
});

Deno.test("MdnsResponder.sayGoodbye() announces with no time to live", async () => {
  const { responder, links, ofType } = setUp();
  await responder.sayGoodbye(links);
  const { packet } = ofType("response")[0]!;
  const records = [...packet.answers!, ...packet.additionals!];
  assert.deepEqual(records.map((record) => (record as { ttl: number }).ttl), [0, 0]);
});

Deno.test("MdnsResponder.cancel() drops the answers that wait", async () => {
  const { responder, links, sent, clock } = setUp();
  for (let times = 0; times < 2; times++) {
    responder.answer({ ...QUERY, id: 1 }, links, NEIGHBOUR, 5_353);
  }
  responder.cancel();
  await clock.advance(5_000);
  assert.equal(sent.length, 1);
});
