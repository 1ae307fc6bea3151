import assert from "node:assert/strict";
import { P2PDaemonBuilder } from "../../../src/p2pd/client/builder.ts";
import { parseFlags } from "../../../src/p2pd/options/flags.ts";
import { resolveOptions } from "../../../src/p2pd/options/options.ts";

const builder = () =>
  new P2PDaemonBuilder((command) => Promise.resolve(command), ["almenad", "p2pd"])
    .listen("/unix/tmp/a.sock");
type Builder = ReturnType<typeof builder>;

/** Each option, the flags it stands for, and one value the daemon reads from them. */
const OPTIONS: readonly [
  use: (one: Builder) => Builder,
  flags: string[],
  name: string,
  value: unknown,
][] = [
  [(one) => one.dht(), ["-dht=true"], "dht", true],
  [(one) => one.dhtClient(), ["-dhtClient=true"], "dhtClient", true],
  [(one) => one.dhtServer(), ["-dhtServer=true"], "dhtServer", true],
  [(one) => one.relay(false), ["-relay=false"], "relay", false],
  [(one) => one.relayService(false), ["-relayService=false"], "relayService", false],
  [(one) => one.dht().autoRelay(), ["-dht=true", "-autoRelay=true"], "autoRelay", true],
  [(one) => one.trustedRelays(["/a", "/b"]), ["-trustedRelays=/a,/b"], "trustedRelays", "/a,/b"],
  [(one) => one.autonat(), ["-autonat=true"], "autonat", true],
  [(one) => one.natPortmap(), ["-natPortMap=true"], "natPortMap", true],
  [(one) => one.pubsub(), ["-pubsub=true"], "pubsub", true],
  [
    (one) => one.hostAddrs(["/ip4/1.2.3.4/tcp/1"]),
    ["-hostAddrs=/ip4/1.2.3.4/tcp/1"],
    "hostAddrs",
    "/ip4/1.2.3.4/tcp/1",
  ],
  [(one) => one.announceAddrs(["/x"]), ["-announceAddrs=/x"], "announceAddrs", "/x"],
  [(one) => one.noListenAddrs(), ["-noListenAddrs=true"], "noListenAddrs", true],
  [(one) => one.bootstrapPeers(["/p"]), ["-b=true", "-bootstrapPeers=/p"], "bootstrapPeers", "/p"],
  [(one) => one.bootstrapPeers(), ["-b=true"], "b", true],
  [(one) => one.identity("/k"), ["-id=/k"], "id", "/k"],
  [(one) => one.connManager(1, 2), ["-connManager=true", "-connLo=1", "-connHi=2"], "connHi", 2],
  [
    (one) => one.forceReachabilityPublic(),
    ["-forceReachabilityPublic=true"],
    "forceReachabilityPublic",
    true,
  ],
  [
    (one) => one.forceReachabilityPrivate(),
    ["-forceReachabilityPrivate=true"],
    "forceReachabilityPrivate",
    true,
  ],
  [(one) => one.idleTimeout(3), ["-idleTimeout=3s"], "idleTimeout", 3_000],
];

Deno.test("P2PDaemonBuilder: each option is its flag, which the daemon reads as that", () => {
  for (const [use, flags, name, value] of OPTIONS) {
    const line = use(builder()).build();
    assert.deepEqual(line, ["almenad", "p2pd", "-listen=/unix/tmp/a.sock", ...flags]);
    const resolved = resolveOptions(parseFlags(line.slice(2)).given, undefined);
    assert.deepEqual((resolved as unknown as Record<string, unknown>)[name], value, name);
  }
});

Deno.test("P2PDaemonBuilder.spawn() starts what it was told, another program too", async () => {
  assert.deepEqual(await builder().command("p2pd", "-q").dht().spawn(), [
    ...["p2pd", "-q", "-listen=/unix/tmp/a.sock", "-dht=true"],
  ]);
});
