/**
 * A test peer (see test_peer.ts) on the daemon's own swarm: the classes of src/network with the test protocols
 * added, so that bulk data can be moved through them before the daemon has a protocol of its own for it.
 *
 * Usage: `deno run -A tests/support/stream_peer.ts [--listen <multiaddr>]`.
 */
import { generateKeyPair } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey, peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { parseArgs } from "node:util";
import { EventBus, systemClock } from "../../src/core/mod.ts";
import { isLan } from "../../src/network/addresses.ts";
import { PeerBook, Swarm } from "../../src/network/mod.ts";
import { writeAll } from "../../src/network/streams.ts";
import { libp2pStream } from "./libp2p_stream.ts";
import { type CommandedNode, obey, PROTOCOLS, serveStream } from "./peer_commands.ts";

const MAX_STREAMS = 1_024;

async function startSwarm(listen: string): Promise<{ swarm: Swarm; peers: PeerBook }> {
  const privateKey = await generateKeyPair("Ed25519");
  const selfId = peerIdFromPrivateKey(privateKey).toString();
  const peers = new PeerBook({
    events: new EventBus(() => selfId),
    monotonic: () => systemClock.monotonic(),
    isLan,
  }, { selfId });
  const swarm = new Swarm({
    clock: systemClock,
    peers,
    privateKey,
    onConnected: () => undefined,
    onDisconnected: () => undefined,
    onAddressesChanged: () => undefined,
  }, {
    listen: [listen],
    isListenOptional: false,
    maxConnections: 256,
    agentVersion: "almenad-test/0",
  });
  await swarm.start();
  return { swarm, peers };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { listen: { type: "string", default: "/ip4/127.0.0.1/tcp/0" } },
  });
  const { swarm } = await startSwarm(values.listen);
  const { node } = swarm;
  const streams = { maxInboundStreams: MAX_STREAMS, maxOutboundStreams: MAX_STREAMS };
  for (const protocol of Object.keys(PROTOCOLS)) {
    await node.handle(
      protocol,
      (stream, connection) =>
        serveStream(protocol, connection.remotePeer.toString(), libp2pStream(stream, writeAll)),
      streams,
    );
  }
  const commanded: CommandedNode = {
    peerId: node.peerId.toString(),
    addrs: swarm.listenAddresses(),
    dial: async (address) => (await node.dial(multiaddr(address))).remotePeer.toString(),
    disconnect: (peerId) => node.hangUp(peerIdFromString(peerId)),
    openStream: async (peerId, protocol) => {
      const stream = await node.dialProtocol(peerIdFromString(peerId), protocol, {
        maxOutboundStreams: MAX_STREAMS,
      });
      return libp2pStream(stream, writeAll);
    },
    peers: () => node.getPeers().map(String),
    stop: () => swarm.stop(),
  };
  await obey(commanded);
}

await main();
