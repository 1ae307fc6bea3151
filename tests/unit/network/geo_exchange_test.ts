import assert from "node:assert/strict";
import type { Libp2p, Stream } from "@libp2p/interface";
import { DaemonError } from "../../../src/core/mod.ts";
import {
  GEO_ANSWER_BYTES,
  GEO_PROTOCOL,
  GEO_REQUEST_BYTES,
  GeoExchange,
} from "../../../src/network/geo_exchange.ts";
import type { PeerGeo } from "../../../src/network/mod.ts";
import { readAll, writeAll } from "../../../src/network/streams.ts";
import { GeolocationJson } from "../../../src/system/geolocation.ts";
import { createPair, testWithLibp2p } from "../../support/libp2p_pair.ts";
import { waitFor } from "../../support/wait.ts";

const BERLIN: PeerGeo = {
  ip: "203.0.113.7",
  city: "Berlin",
  region: "Land Berlin",
  countryCode: "DE",
  countryName: "Germany",
  timezone: "Europe/Berlin",
  latitude: 52.52,
  longitude: 13.41,
};
const LIMITS = { maxBytes: 100_000, timeoutMs: 12_000 };
const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

interface Received {
  readonly peerId: string;
  readonly geo: PeerGeo;
}

function exchangeOn(
  node: Libp2p,
  init: { isSharing?: boolean; own?: () => Promise<PeerGeo> } = {},
) {
  const received: Received[] = [];
  const exchange = new GeoExchange({
    node: () => node,
    ownGeo: init.own ?? (() => Promise.resolve(BERLIN)),
    onGeo: (peerId, geo) => void received.push({ peerId, geo }),
    parseGeo: (json): PeerGeo => GeolocationJson().parse(json),
  }, { isSharing: init.isSharing ?? true });
  return { exchange, received };
}

testWithLibp2p(
  "GeoExchange asks each peer once a connection, after identify, in both directions",
  async () => {
    await using pair = await createPair();
    const near = exchangeOn(pair.dialer);
    const far = exchangeOn(pair.listener, {
      own: () => Promise.resolve({ ...BERLIN, city: "B\u0007onn" }),
    });
    await near.exchange.start();
    await far.exchange.start();
    const connection = await pair.connect();
    await waitFor("both locations", () => near.received.length + far.received.length === 2);
    const bonn = { ...BERLIN, city: "Bonn" }; // control characters are taken out
    assert.deepEqual(near.received, [{ peerId: pair.listener.peerId.toString(), geo: bonn }]);
    assert.deepEqual(far.received, [{ peerId: pair.dialer.peerId.toString(), geo: BERLIN }]);
    await connection.close();
    await pair.connect();
    await waitFor("both again", () => near.received.length === 2 && far.received.length === 2);
    await near.exchange.stop();
    await far.exchange.stop();
    await far.exchange.stop();
  },
);

/** One raw exchange with a daemon's side; the answer, or undefined when the stream was reset. */
async function ask(
  request: Uint8Array,
  init: { isSharing?: boolean; own?: () => Promise<PeerGeo> } = {},
): Promise<{ answer: string | undefined; isConnected: boolean }> {
  await using pair = await createPair();
  const { exchange } = exchangeOn(pair.listener, init);
  await exchange.start();
  const connection = await pair.connect();
  const stream = await connection.newStream(GEO_PROTOCOL);
  const answer = await exchangeBytes(stream, request);
  const isConnected = connection.status === "open";
  await exchange.stop();
  return { answer, isConnected };
}

async function exchangeBytes(stream: Stream, request: Uint8Array): Promise<string | undefined> {
  try {
    await writeAll(stream, request);
    await stream.close();
    return decode(await readAll(stream, LIMITS));
  } catch (failure) {
    stream.abort(failure as Error);
    return undefined;
  }
}

testWithLibp2p("GeoExchange answers {} with one JSON object of the eight wire names", async () => {
  const { answer } = await ask(encode("{}"));
  assert.deepEqual(JSON.parse(answer!), {
    ip: "203.0.113.7",
    city: "Berlin",
    region: "Land Berlin",
    country_code: "DE",
    country_name: "Germany",
    timezone: "Europe/Berlin",
    latitude: 52.52,
    longitude: 13.41,
  });
  assert.ok(answer!.length <= GEO_ANSWER_BYTES);
  assert.ok((await ask(encode(" {\n} "))).answer!.length > 2);
});

testWithLibp2p("GeoExchange answers {} when it shares nothing, or knows nothing", async () => {
  assert.equal((await ask(encode("{}"), { isSharing: false })).answer, "{}");
  const unknown = () => Promise.reject(new DaemonError("unavailable", "no network"));
  assert.equal((await ask(encode("{}"), { own: unknown })).answer, "{}");
});

testWithLibp2p("GeoExchange resets the stream on a bad request and keeps the peer", async () => {
  const bad = [
    "",
    "null",
    "[]",
    '"{}"',
    "{",
    "{}{}",
    "1",
    '{"a":1}',
    "{}" + " ".repeat(GEO_REQUEST_BYTES),
  ];
  for (const request of bad) {
    const { answer, isConnected } = await ask(encode(request));
    assert.ok(!answer, `"${request.slice(0, 20)}" was answered with ${answer}`);
    assert.equal(isConnected, true);
  }
  assert.ok(!(await ask(new Uint8Array([0xff, 0xfe, 0x7b, 0x7d]))).answer);
});

/** What a daemon makes of a peer that answers like this. */
async function receive(
  answer: (stream: Stream) => Promise<void>,
): Promise<{ received: Received[]; isConnected: boolean }> {
  await using pair = await createPair();
  const { exchange, received } = exchangeOn(pair.dialer);
  await exchange.start();
  const asked = Promise.withResolvers<void>();
  await pair.listener.handle(GEO_PROTOCOL, async (stream) => {
    await answer(stream).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 50)); // for what follows on the other side
    asked.resolve();
  });
  const connection = await pair.connect();
  await asked.promise;
  const isConnected = connection.status === "open";
  await exchange.stop();
  return { received, isConnected };
}

function answering(bytes: Uint8Array): (stream: Stream) => Promise<void> {
  return async (stream) => {
    await readAll(stream, LIMITS);
    await writeAll(stream, bytes);
    await stream.close();
  };
}

testWithLibp2p("GeoExchange takes no location from a bad answer, and keeps the peer", async () => {
  const good = {
    ip: "192.0.2.1",
    city: "Berlin",
    region: "",
    country_code: "DE",
    country_name: "Germany",
    timezone: "",
    latitude: 1,
    longitude: 2,
  };
  const bad = [
    "",
    "{}",
    "[]",
    "null",
    "{",
    JSON.stringify({ ...good, latitude: "1" }),
    JSON.stringify({ ...good, latitude: 1_000 }),
    JSON.stringify({ ...good, city: ["Berlin"] }),
    JSON.stringify({ ...good, city: "x".repeat(10_000) }),
    JSON.stringify(good) + " ".repeat(GEO_ANSWER_BYTES),
    JSON.stringify(good) + JSON.stringify(good),
  ];
  for (const text of bad) {
    const { received, isConnected } = await receive(answering(encode(text)));
    assert.deepEqual(received, [], text.slice(0, 60));
    assert.equal(isConnected, true);
  }
  assert.equal((await receive(answering(encode(JSON.stringify(good))))).received.length, 1);
});

testWithLibp2p("GeoExchange keeps a peer that resets the stream", async () => {
  const { received, isConnected } = await receive((stream) => {
    stream.abort(new TypeError("no"));
    return Promise.resolve();
  });
  assert.deepEqual([received.length, isConnected], [0, true]);
});

testWithLibp2p("GeoExchange.setSharing() holds for answers from now on", async () => {
  await using pair = await createPair();
  const { exchange } = exchangeOn(pair.listener);
  await exchange.start();
  const connection = await pair.connect();
  const answers: (string | undefined)[] = [];
  for (const isSharing of [true, false, true]) {
    exchange.setSharing(isSharing);
    answers.push(await exchangeBytes(await connection.newStream(GEO_PROTOCOL), encode("{}")));
  }
  assert.deepEqual(answers.map((answer) => answer !== "{}"), [true, false, true]);
  await exchange.stop();
});

testWithLibp2p(
  "GeoExchange.stop() before start() does nothing; after it the protocol is gone",
  async () => {
    await using pair = await createPair();
    const { exchange } = exchangeOn(pair.listener);
    await exchange.stop();
    await exchange.start();
    assert.ok(pair.listener.getProtocols().includes(GEO_PROTOCOL));
    await exchange.stop();
    assert.ok(!pair.listener.getProtocols().includes(GEO_PROTOCOL));
  },
);
