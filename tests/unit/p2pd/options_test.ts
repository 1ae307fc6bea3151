import assert from "node:assert/strict";
import { parseDuration, parseFlags, usage, UsageError } from "../../../src/p2pd/options/flags.ts";
import { dhtMode, resolveOptions } from "../../../src/p2pd/options/options.ts";

/** Every flag that the Go daemon's -help lists. */
const GO_FLAGS = ("announceAddrs autoRelay autonat b bootstrapPeers connGrace connHi connLo " +
  "connManager dht dhtClient dhtServer f forceReachabilityPrivate forceReachabilityPublic " +
  "gossipsubHeartbeatInitialDelay gossipsubHeartbeatInterval hostAddrs i id idleTimeout listen " +
  "metricsAddr muxer natPortMap noListenAddrs noise persistentConnMaxMsgSize pprof pprofPort " +
  "pubsub pubsubRouter pubsubSign pubsubSignStrict q quic relay relayActive relayBufferSize " +
  "relayDataLimit relayDiscovery relayHop relayHopLimit relayMaxCircuits relayMaxReservations " +
  "relayService relayTimeLimit tls trustedRelays").split(" ");

Deno.test("parseFlags() knows every flag of the Go daemon", () => {
  assert.equal(GO_FLAGS.length, 49);
  for (const name of GO_FLAGS) {
    const isDuration = /Grace|Heartbeat|idleTimeout|TimeLimit/.test(name);
    const { given } = parseFlags([`-${name}=${isDuration ? "2m0s" : "1"}`]);
    assert.ok(name in given, name);
    assert.ok(usage("p2pd").includes(`  -${name}`), name);
  }
});

Deno.test("parseFlags() reads Go's syntax", () => {
  const line = [
    "-listen",
    "/unix/tmp/a",
    "--dht",
    "-relay=f",
    "--connLo=3",
    "-connGrace",
    "1m1.5s",
  ];
  assert.deepEqual(parseFlags(line).given, {
    listen: "/unix/tmp/a",
    dht: true,
    relay: false,
    connLo: 3,
    connGrace: 61_500,
  });
  assert.ok(parseFlags(["-help"]).isHelp);
  const wrong = [
    [["-foo"], /^flag provided but not defined: -foo$/],
    [["-dht=maybe"], /^invalid boolean value "maybe" for -dht: parse error$/],
    [["-listen"], /^flag needs an argument: -listen$/],
    [["-connLo=x"], /^invalid value "x" for -connLo: parse error$/],
    [["word"], /^unexpected argument: word$/],
  ] as const;
  for (const [args, message] of wrong) {
    assert.throws(() => parseFlags(args), (error: UsageError) => {
      assert.match(error.message, message);
      return error instanceof UsageError;
    });
  }
});

Deno.test("parseDuration() reads Go's durations", () => {
  const cases = { "120s": 120_000, "2m0s": 120_000, "0": 0, "1h": 3_600_000, "-1.5ms": -1.5 };
  for (const [text, ms] of Object.entries(cases)) assert.equal(parseDuration(text), ms);
  for (const text of ["", "5", "s", "1x", "1m 2s"]) assert.equal(parseDuration(text), undefined);
});

Deno.test("resolveOptions() joins flags over JSON over defaults", () => {
  const json = JSON.stringify({
    ListenAddr: "/ip4/127.0.0.1/tcp/1",
    Bootstrap: { Enabled: true, Peers: ["/a", "/b"] },
    DHT: { Mode: "client" },
    ConnectionManager: { GracePeriod: 5 },
    PubSub: { GossipSubHeartbeat: { Interval: "2s" } },
    Quiet: true,
  });
  const options = resolveOptions({ q: false }, json);
  assert.equal(options.listen, "/ip4/127.0.0.1/tcp/1");
  assert.equal(options.bootstrapPeers, "/a,/b");
  assert.equal(dhtMode(options), "client");
  assert.equal(options.connGrace, 5_000);
  assert.equal(options.gossipsubHeartbeatInterval, 2_000);
  assert.equal(options.q, false);
  assert.equal(options.connHi, 512);
});

Deno.test("resolveOptions() refuses what does not fit together", () => {
  const wrong = [
    [{ forceReachabilityPublic: true, forceReachabilityPrivate: true }, undefined],
    [{ autoRelay: true }, undefined],
    [{ noise: false }, undefined],
    [{ pubsubRouter: "magic" }, undefined],
    [{}, '{"Nope": 1}'],
    [{}, '{"DHT": {"Mode": "sometimes"}}'],
    [{}, '{"Quiet": "yes"}'],
    [{}, "{"],
    [{}, "[]"],
  ] as const;
  for (const [flags, json] of wrong) {
    assert.throws(() => resolveOptions(flags, json), { code: "invalid_argument" });
  }
});
