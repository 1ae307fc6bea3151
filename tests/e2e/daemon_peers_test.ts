/** Where machines are, and peers that are told rather than found. */
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import { startDaemon } from "../support/daemon.ts";
import { GrpcClient, type GrpcFailure } from "../support/grpc_client.ts";
import { Lan, testInNetns } from "../support/netns.ts";
import { waitFor } from "../support/wait.ts";

const BERN = {
  ip: "203.0.113.7",
  city: "Bern",
  region: "Canton of Bern",
  country_code: "CH",
  country_name: "Switzerland",
  timezone: "Europe/Zurich",
  latitude: 46.9481,
  longitude: 7.4474,
};
const LIMA = {
  ip: "198.51.100.9",
  city: "Lima",
  region: "Lima",
  country_code: "PE",
  country_name: "Peru",
  timezone: "America/Lima",
  latitude: -12.0464,
  longitude: -77.0428,
};
/** Promised: GetGeolocation never takes longer, and an exchange between peers neither. */
const UNAVAILABLE_WITHIN_MS = 6_000;
const EXCHANGED_WITHIN_MS = 10_000;
const UNAVAILABLE = 14;

/** A geolocation service on this machine; dispose of it. */
async function service(answer: RequestListener) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    answer(request, response);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const { port } = server.address() as { port: number };
  return {
    asked,
    config: `[geolocation]\nurl = "http://127.0.0.1:${port}/json/"\n`,
    [Symbol.asyncDispose]: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}

function telling(location: object): RequestListener {
  return (_request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ ...location, org: "field of no interest" }));
  };
}

interface Peer {
  peer_id: string;
  is_connected: boolean;
  geo: object | null;
}

async function peerAt(address: string, peerId: string): Promise<Peer | undefined> {
  using client = new GrpcClient(address);
  const { peers } = await client.call("ListPeers") as unknown as { peers: Peer[] };
  return peers.find((peer) => peer.peer_id === peerId);
}

Deno.test("GetGeolocation gives all eight fields of the service, and asks it once", async () => {
  await using stub = await service(telling(BERN));
  await using daemon = await startDaemon({ config: stub.config });
  using client = new GrpcClient(daemon.grpcAddress);
  assert.deepEqual(await client.call("GetGeolocation"), BERN);
  assert.deepEqual(await client.call("GetGeolocation"), BERN);
  assert.deepEqual(stub.asked, ["/json/"]);
});

Deno.test("GetGeolocation is UNAVAILABLE within 6 s, whatever the service does", async () => {
  await using deaf = await service(() => undefined);
  await using broken = await service((_request, response) => response.writeHead(503).end("{}"));
  const configs = {
    "never answers": deaf.config,
    "fails": broken.config,
    "cannot be resolved": '[geolocation]\nurl = "https://no-such-host.invalid/json/"\n',
  };
  for (const [what, config] of Object.entries(configs)) {
    await using daemon = await startDaemon({ config });
    using client = new GrpcClient(daemon.grpcAddress);
    const begun = performance.now();
    const failure: GrpcFailure = await client.call("GetGeolocation")
      .then(() => assert.fail("it was answered"), (failure) => failure);
    const ms = performance.now() - begun;
    assert.equal(failure.code, UNAVAILABLE, what);
    assert.match(failure.details, /^Cannot get the geolocation from http/, what);
    assert.ok(ms < UNAVAILABLE_WITHIN_MS, `${what}: ${ms} ms`);
  }
});

Deno.test("Two daemons tell each other where they are within 10 s, unless one does not share", async () => {
  await using inBern = await service(telling(BERN));
  await using inLima = await service(telling(LIMA));
  await using alice = await startDaemon({ config: inBern.config });
  await using bob = await startDaemon({ config: inLima.config });
  await using carol = await startDaemon({ config: `${inLima.config}share = false\n` });
  const see = (from: typeof alice, whom: typeof alice) =>
    peerAt(from.grpcAddress, whom.ready.peer_id);
  const told = async () => (await see(alice, bob))?.geo && (await see(bob, alice))?.geo;
  await waitFor("locations on both sides", async () => Boolean(await told()), EXCHANGED_WITHIN_MS);
  assert.deepEqual((await see(alice, bob))?.geo, LIMA);
  assert.deepEqual((await see(bob, alice))?.geo, BERN);
  await waitFor(
    "carol's knowledge of alice",
    async () => Boolean((await see(carol, alice))?.geo),
    EXCHANGED_WITHIN_MS,
  );
  assert.equal((await see(alice, carol))?.is_connected, true);
  assert.equal((await see(alice, carol))?.geo, null);
});

testInNetns("BOOTSTRAP_PEERS are dialled where multicast does not pass", async () => {
  await using lan = await Lan.create(["alice", "bob"], { hasIpv6: false });
  for (const host of ["alice", "bob"]) {
    await lan.run(host, ["ip", "link", "set", "dev", "eth0", "multicast", "off"]);
  }
  await using alice = await startDaemon({ netns: lan.host("alice").namespace });
  const address = alice.ready.p2p_addrs.find((one) => one.includes("/10.77."));
  assert.ok(address);
  const env = { BOOTSTRAP_PEERS: `nonsense,${address}/p2p/${alice.ready.peer_id}` };
  await using bob = await startDaemon({ netns: lan.host("bob").namespace, env });
  const connected = async () => {
    const url = bob.url("/api/v1/network/peers?connected=true");
    const { stdout } = await lan.run("bob", ["curl", "-s", "--max-time", "3", url]);
    return stdout.includes(alice.ready.peer_id);
  };
  await waitFor("connection to the bootstrap peer", connected, 5_000);
});
