/**
 * The daemon with programs of other makers: the Go p2pd and a rust-libp2p node. `deno task peers` fetches and builds
 * them. Bulk data goes through stream_peer.ts, which is the daemon's swarm with the test protocols added.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type DaemonProcess, startDaemon } from "../support/daemon.ts";
import { ExactReader } from "../support/byte_stream.ts";
import { isPrepared, peerNeed } from "../support/foreign_peers.ts";
import { GO_P2PD, GoP2pd } from "../support/go_p2pd.ts";
import { GrpcClient } from "../support/grpc_client.ts";
import { testNeeding } from "../support/needs.ts";
import { Lan, testInNetns } from "../support/netns.ts";
import type { P2pdStream } from "../support/p2pd_client.ts";
import { RUST_PEER } from "../support/rust_peers.ts";
import { TestPeer } from "../support/test_peer.ts";
import {
  receiveFrom,
  sendTo,
  serveSink,
  serveSource,
  SINK_PROTOCOL,
  SOURCE_PROTOCOL,
} from "../support/transfers.ts";
import { waitFor } from "../support/wait.ts";

const BULK_BYTES = 16 * 2 ** 20;
const STREAMS = 50;
const PING_PROTOCOL = "/ipfs/ping/1.0.0";
/** A connection that was closed cleanly shows within this, contract 1.5. */
const CLEAN_CLOSE_MS = 2_000;
const NO_MDNS = ["--no-mdns"];
const LOOPBACK = ["--p2p-listen", "/ip4/127.0.0.1/tcp/0"];

interface Peer {
  readonly peer_id: string;
  readonly is_connected: boolean;
  readonly is_internal: boolean;
}

async function listed(daemon: DaemonProcess, peerId: string): Promise<Peer | undefined> {
  using client = new GrpcClient(daemon.grpcAddress);
  const { peers } = await client.call("ListPeers") as unknown as { peers: readonly Peer[] };
  return peers.find((peer) => peer.peer_id === peerId);
}

function showsConnected(daemon: DaemonProcess, peerId: string, isConnected = true): Promise<Peer> {
  const state = isConnected ? "connected" : "disconnected";
  return waitFor(`${state} peer ${peerId}`, async () => {
    const peer = await listed(daemon, peerId);
    return peer?.is_connected === isConnected && peer;
  });
}

/** A node of the daemon's swarm that moves bulk data. */
function startStreamPeer(): Promise<TestPeer> {
  const script = fileURLToPath(import.meta.resolve("../support/stream_peer.ts"));
  return TestPeer.start([Deno.execPath(), "run", "-A", "--unstable-net", "--no-check", script]);
}

function startRust(args: readonly string[], netns?: string): Promise<TestPeer> {
  return TestPeer.start([RUST_PEER.path, ...args], { netns });
}

// Once its handler half-closes, the Go p2pd resets the stream, and what is still under way is lost: so the opener closes.
function serveTransfers(stream: P2pdStream): Promise<unknown> {
  const patient = { ...stream, closeWrite: () => untilClosed(stream) };
  return stream.protocol === SINK_PROTOCOL ? serveSink(patient) : serveSource(patient);
}

async function untilClosed(stream: P2pdStream): Promise<void> {
  let part: Uint8Array | undefined;
  do part = await stream.read(); while (part);
}

const go = [peerNeed(GO_P2PD)];
const rust = [peerNeed(RUST_PEER)];

testNeeding(go, "Daemon is dialled by the Go p2pd and answers its pings", async () => {
  await using daemon = await startDaemon({ args: LOOPBACK });
  await using p2pd = await GoP2pd.start({ flags: ["-muxer=yamux"] });
  const { peer_id: peerId, p2p_addrs: addrs } = daemon.ready;
  await p2pd.client.connect(peerId, addrs);
  const stream = await p2pd.client.openStream(peerId, [PING_PROTOCOL]);
  const reader = new ExactReader(stream);
  for (let turn = 1; turn <= 3; turn++) {
    const payload = new Uint8Array(32).fill(turn);
    await stream.write(payload);
    assert.deepEqual(await reader.take(32), payload);
  }
  stream.close();
  assert.deepEqual((await p2pd.client.listPeers()).map((peer) => peer.peerId), [peerId]);
  assert.equal((await showsConnected(daemon, p2pd.peerId)).is_internal, true);
  await p2pd.client.disconnect(peerId);
  await showsConnected(daemon, p2pd.peerId, false);
});

testNeeding(go, "Daemon dials the Go p2pd that it is given as bootstrap peer", async () => {
  await using p2pd = await GoP2pd.start({ flags: ["-muxer=yamux"] });
  const env = { "BOOTSTRAP_PEERS": await p2pd.dialAddress() };
  await using daemon = await startDaemon({ args: LOOPBACK, env });
  await showsConnected(daemon, p2pd.peerId);
  assert.deepEqual(
    (await p2pd.client.listPeers()).map((peer) => peer.peerId),
    [daemon.ready.peer_id],
  );
});

testNeeding(go, "Daemon refuses a Go p2pd that does not speak Noise", async () => {
  await using daemon = await startDaemon({ args: LOOPBACK });
  await using p2pd = await GoP2pd.start({ flags: ["-noise=0"] });
  const { peer_id: peerId, p2p_addrs: addrs } = daemon.ready;
  await assert.rejects(p2pd.client.connect(peerId, addrs), /protocols? not supported|failed to/i);
  assert.deepEqual(await p2pd.client.listPeers(), []);
  assert.notEqual((await listed(daemon, p2pd.peerId))?.is_connected, true);
});

testNeeding(go, "Swarm and the Go p2pd carry 16 MiB over one stream both ways", async () => {
  await using peer = await startStreamPeer();
  await using p2pd = await GoP2pd.start({ flags: ["-muxer=yamux"] });
  await p2pd.client.connect(peer.peerId, peer.addrs);
  const open = (protocol: string) => p2pd.client.openStream(peer.peerId, [protocol]);
  const { sent, answer } = await sendTo(await open(SINK_PROTOCOL), BULK_BYTES);
  assert.deepEqual(answer, sent);
  assert.deepEqual(await receiveFrom(await open(SOURCE_PROTOCOL), BULK_BYTES), sent);
  const protocols = [SINK_PROTOCOL, SOURCE_PROTOCOL];
  const path = join(p2pd.folder, "streams.sock");
  const end = await p2pd.client.handleStreams(protocols, path, serveTransfers);
  try {
    assert.deepEqual((await peer.send(p2pd.peerId, BULK_BYTES)).answer, sent);
    assert.deepEqual(await peer.receive(p2pd.peerId, BULK_BYTES), sent);
  } finally {
    await end();
  }
});

testNeeding(go, "Swarm and the Go p2pd open 50 streams at once to each other", async () => {
  await using peer = await startStreamPeer();
  await using p2pd = await GoP2pd.start({ flags: ["-muxer=yamux"] });
  await p2pd.client.connect(peer.peerId, peer.addrs);
  const streams = await Promise.all(
    Array.from({ length: STREAMS }, () => p2pd.client.openStream(peer.peerId, [SINK_PROTOCOL])),
  );
  const results = await Promise.all(
    streams.map((stream, index) => sendTo(stream, 64 * 1024 + index)),
  );
  for (const { sent, answer } of results) assert.deepEqual(answer, sent);
  const path = join(p2pd.folder, "streams.sock");
  const end = await p2pd.client.handleStreams([SINK_PROTOCOL], path, serveTransfers);
  try {
    const back = await Promise.all(
      Array.from({ length: STREAMS }, (_, index) => peer.send(p2pd.peerId, 64 * 1024 + index)),
    );
    assert.deepEqual(back.map(({ answer }) => answer), results.map(({ sent }) => sent));
  } finally {
    await end();
  }
});

testNeeding(
  rust,
  "Daemon is dialled by a rust-libp2p node, identifies itself and pings",
  async () => {
    await using daemon = await startDaemon({ args: LOOPBACK });
    await using peer = await startRust(NO_MDNS);
    const { peer_id: peerId, p2p_addrs: [address] } = daemon.ready;
    assert.equal(await peer.dial(`${address}/p2p/${peerId}`), peerId);
    const { agent, protocols } = await peer.event("identified", { peer: peerId });
    assert.equal(agent, `almenad/${daemon.ready.version}`);
    for (const protocol of [PING_PROTOCOL, "/ipfs/id/1.0.0", "/almena/geo/1.0"]) {
      assert.ok(
        (protocols as string[]).includes(protocol),
        `${protocol} is not among ${protocols}`,
      );
    }
    assert.equal((await peer.ping(peerId, 3)).length, 3);
    await showsConnected(daemon, peer.peerId);
    const stopped = performance.now();
    await peer.stop();
    await showsConnected(daemon, peer.peerId, false);
    assert.ok(performance.now() - stopped < CLEAN_CLOSE_MS);
  },
);

testNeeding(
  rust,
  "Daemon dials the rust-libp2p node that it is given as bootstrap peer",
  async () => {
    await using peer = await startRust(NO_MDNS);
    const env = { "BOOTSTRAP_PEERS": peer.dialAddress };
    await using daemon = await startDaemon({ args: LOOPBACK, env });
    await peer.event("connected", { peer: daemon.ready.peer_id, dialer: false });
    await peer.event("pinged", { peer: daemon.ready.peer_id });
    await showsConnected(daemon, peer.peerId);
  },
);

testNeeding(rust, "Swarm and rust-libp2p carry 16 MiB over one stream both ways", async () => {
  await using ours = await startStreamPeer();
  await using theirs = await startRust(NO_MDNS);
  await theirs.dial(ours.dialAddress);
  const { sent, answer } = await theirs.send(ours.peerId, BULK_BYTES);
  assert.deepEqual(answer, sent);
  const halfClosed = await theirs.send(ours.peerId, BULK_BYTES, { halfClose: true });
  assert.deepEqual(halfClosed.answer, sent);
  assert.deepEqual(await theirs.receive(ours.peerId, BULK_BYTES), sent);
  assert.deepEqual((await ours.send(theirs.peerId, BULK_BYTES)).answer, sent);
  assert.deepEqual(await ours.receive(theirs.peerId, BULK_BYTES), sent);
});

// Only this way round: libp2p-stream drops inbound streams that its program has not yet taken.
testNeeding(rust, "Swarm serves 50 streams at once from rust-libp2p", async () => {
  await using ours = await startStreamPeer();
  await using theirs = await startRust(NO_MDNS);
  await theirs.dial(ours.dialAddress);
  const results = await Promise.all(
    Array.from({ length: STREAMS }, (_, index) => theirs.send(ours.peerId, 64 * 1024 + index)),
  );
  for (const { sent, answer } of results) assert.deepEqual(answer, sent);
});

const testWithRustOnLan = isPrepared(RUST_PEER)
  ? testInNetns
  : (name: string, fn: () => Promise<void>) => testNeeding(rust, name, fn);

testWithRustOnLan("Daemon and a rust-libp2p node find each other by mDNS and connect", async () => {
  await using lan = await Lan.create(["ours", "theirs"], { hasDefaultRoute: true });
  const listen = ["--listen", "/ip4/0.0.0.0/tcp/0"];
  await using peer = await startRust(listen, lan.host("theirs").namespace);
  await using daemon = await startDaemon({ netns: lan.host("ours").namespace });
  const { peer_id: peerId } = daemon.ready;
  await peer.event("discovered", { peer: peerId });
  // The Rust node dials nobody by itself, so the daemon found and dialled it.
  await peer.event("connected", { peer: peerId, dialer: false });
  assert.equal((await peer.ping(peerId)).length, 1);
});
