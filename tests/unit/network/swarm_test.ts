import assert from "node:assert/strict";
import { generateKeyPair } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { type AddressInfo, connect, createServer } from "node:net";
import { systemClock } from "../../../src/core/mod.ts";
import { isLan, PeerBook, Swarm } from "../../../src/network/mod.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { waitFor } from "../../support/wait.ts";

interface TestSwarm extends AsyncDisposable {
  readonly swarm: Swarm;
  readonly peers: PeerBook;
  readonly peerId: string;
  /** "connected <peer id>" and "disconnected <peer id>", as they were told. */
  readonly told: string[];
}

async function createSwarm(
  init: { listen?: string[]; isListenOptional?: boolean; maxConnections?: number } = {},
): Promise<TestSwarm> {
  const privateKey = await generateKeyPair("Ed25519");
  const peerId = peerIdFromPrivateKey(privateKey).toString();
  const told: string[] = [];
  const peers = new PeerBook({
    events: { publish: () => undefined },
    monotonic: () => systemClock.monotonic(),
    isLan,
  }, { selfId: peerId });
  const swarm = new Swarm({
    clock: systemClock,
    peers,
    privateKey,
    onConnected: (id) => void told.push(`connected ${id}`),
    onDisconnected: (id) => void told.push(`disconnected ${id}`),
    onAddressesChanged: () => undefined,
  }, {
    listen: init.listen ?? ["/ip4/127.0.0.1/tcp/0"],
    isListenOptional: init.isListenOptional ?? false,
    maxConnections: init.maxConnections ?? 100,
    agentVersion: "almenad-test/0",
  });
  return { swarm, peers, peerId, told, [Symbol.asyncDispose]: () => swarm.stop() };
}

async function startSwarm(init: Parameters<typeof createSwarm>[0] = {}): Promise<TestSwarm> {
  const made = await createSwarm(init);
  await made.swarm.start();
  return made;
}

function dial(from: TestSwarm, to: TestSwarm): Promise<void> {
  return from.swarm.dial(to.peerId, to.swarm.listenAddresses(), AbortSignal.timeout(5_000));
}

function canConnect({ host, port }: { host: string; port: number }): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host, port });
  socket.once("connect", () => {
    socket.destroy();
    resolve(true);
  });
  socket.once("error", () => resolve(false));
  return promise;
}

testWithLibp2p("Swarm.start() registers its own addresses, stop() ends its listeners", async () => {
  await using ada = await startSwarm();
  assert.match(ada.swarm.listenAddresses().join(), /^\/ip4\/127\.0\.0\.1\/tcp\/\d+$/);
  assert.deepEqual(ada.peers.get(ada.peerId)!.addresses, ada.swarm.listenAddresses());
  const [endpoint] = ada.swarm.listenEndpoints();
  assert.equal(await canConnect(endpoint!), true);
  await ada.swarm.stop();
  await ada.swarm.stop();
  assert.equal(await canConnect(endpoint!), false);
  assert.throws(() => ada.swarm.node, { code: "unavailable" });
});

testWithLibp2p("Swarm connects, and both sides' books know it within moments", async () => {
  await using ada = await startSwarm();
  await using bob = await startSwarm();
  await dial(ada, bob);
  await waitFor("the connection on the other side", () => bob.peers.isConnected(ada.peerId));
  assert.equal(ada.peers.get(bob.peerId)!.isInternal, true);
  assert.deepEqual(ada.told, [`connected ${bob.peerId}`]);
  assert.ok(await ada.swarm.ping(bob.peerId, AbortSignal.timeout(2_000)) >= 0);
  const begun = performance.now();
  await bob.swarm.stop();
  await waitFor("the end of the connection", () => !ada.peers.isConnected(bob.peerId));
  assert.ok(performance.now() - begun < 2_000);
  assert.deepEqual(ada.told, [`connected ${bob.peerId}`, `disconnected ${bob.peerId}`]);
  assert.ok(ada.peers.get(bob.peerId)); // the entry is kept
});

testWithLibp2p("Swarm.start() refuses an address it cannot have, and says what to do", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as AddressInfo;
  for (const address of [`/ip4/127.0.0.1/tcp/${port}`, "/ip4/192.0.2.1/tcp/0", "nonsense"]) {
    const { swarm } = await createSwarm({ listen: [address] });
    await assert.rejects(swarm.start(), {
      code: "unavailable",
      message: /^Cannot listen on .*give other addresses with --p2p-listen$/,
    });
    await swarm.stop();
  }
  await new Promise((resolve) => taken.close(resolve));
});

testWithLibp2p("Swarm.listenEndpoints() can be dialled, wherever it listens", async () => {
  const table = [["/ip4/127.0.0.2/tcp/0"], ["/ip4/0.0.0.0/tcp/0"]];
  if (Deno.build.os !== "linux") table.shift(); // elsewhere 127.0.0.2 is not there
  for (const listen of table) {
    await using ada = await startSwarm({ listen });
    const endpoints = ada.swarm.listenEndpoints();
    assert.equal(endpoints.length, 1);
    assert.equal(await canConnect(endpoints[0]!), true, JSON.stringify(endpoints));
  }
});

testWithLibp2p(
  "Swarm.checkPresence() keeps a peer that answers, and ignores strangers",
  async () => {
    await using ada = await startSwarm();
    await using bob = await startSwarm();
    await dial(ada, bob);
    await ada.swarm.checkPresence(bob.peerId);
    assert.equal(ada.peers.isConnected(bob.peerId), true);
    const stranger = peerIdFromPrivateKey(await generateKeyPair("Ed25519")).toString();
    await ada.swarm.checkPresence(stranger);
  },
);

testWithLibp2p("Swarm keeps at most 4 connections of one peer", async () => {
  await using ada = await startSwarm();
  await using bob = await startSwarm();
  const target = bob.swarm.node.getMultiaddrs();
  for (let n = 0; n < 8; n++) {
    await ada.swarm.node.dial(target, { force: true, signal: AbortSignal.timeout(5_000) })
      .catch(() => undefined); // over the limit it is refused
  }
  await waitFor("the surplus to be closed", () => bob.swarm.node.getConnections().length <= 4);
  assert.equal(bob.peers.isConnected(ada.peerId), true);
});

testWithLibp2p("Swarm closes a handshake that says nothing within 3 s", async () => {
  await using ada = await startSwarm();
  const [endpoint] = ada.swarm.listenEndpoints();
  const begun = performance.now();
  const socket = connect(endpoint!);
  socket.on("error", () => undefined).resume();
  await new Promise((resolve) => socket.once("close", resolve));
  const ms = performance.now() - begun;
  assert.ok(ms > 2_000 && ms < 5_000, `${ms} ms`);
  assert.equal(ada.swarm.admission.pendingCount, 0);
});

testWithLibp2p("Swarm.dial() fails for a peer id that somebody else answers for", async () => {
  await using ada = await startSwarm();
  await using bob = await startSwarm();
  const other = peerIdFromPrivateKey(await generateKeyPair("Ed25519")).toString();
  const dialled = ada.swarm.dial(other, bob.swarm.listenAddresses(), AbortSignal.timeout(5_000));
  await assert.rejects(dialled);
  assert.equal(ada.peers.isConnected(other), false);
});

testWithLibp2p(
  "Swarm.reopen() listens at the same address, with and without connections",
  async () => {
    await using ada = await startSwarm();
    await using bob = await startSwarm();
    await using cleo = await startSwarm();
    const addresses = ada.swarm.listenAddresses();
    await ada.swarm.reopen();
    await bob.swarm.dial(ada.peerId, addresses, AbortSignal.timeout(5_000));
    await ada.swarm.reopen();
    await cleo.swarm.dial(ada.peerId, addresses, AbortSignal.timeout(5_000));
    assert.deepEqual(ada.swarm.listenAddresses(), addresses);
    assert.equal(ada.peers.isConnected(bob.peerId), true);
  },
);
