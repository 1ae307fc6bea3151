/**
 * A test peer (see tests/support/test_peer.ts) on plain libp2p, set up as its documentation shows: what the daemon's
 * swarm is compared with.
 *
 * Usage: `deno run -A tests/bench/bare_stream_peer.ts [--listen <multiaddr>]`.
 */
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { identify } from "@libp2p/identify";
import type { Stream } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { parseArgs } from "node:util";
import { libp2pStream } from "../support/libp2p_stream.ts";
import { type CommandedNode, obey, PROTOCOLS, serveStream } from "../support/peer_commands.ts";

const MAX_STREAMS = 1_024;

// stream.onDrain() holds back only once, so even a plain program has to wait for the event.
async function write(stream: Stream, bytes: Uint8Array): Promise<void> {
  if (stream.send(bytes)) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onDrain = () => resolve();
  const onClose = () => reject(new DOMException("the stream closed", "AbortError"));
  stream.addEventListener("drain", onDrain, { once: true });
  stream.addEventListener("close", onClose, { once: true });
  await promise.finally(() => {
    stream.removeEventListener("drain", onDrain);
    stream.removeEventListener("close", onClose);
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { listen: { type: "string", default: "/ip4/127.0.0.1/tcp/0" } },
  });
  const node = await createLibp2p({
    addresses: { listen: [values.listen] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), ping: ping() },
  });
  for (const protocol of Object.keys(PROTOCOLS)) {
    await node.handle(
      protocol,
      (stream, connection) =>
        serveStream(protocol, connection.remotePeer.toString(), libp2pStream(stream, write)),
      { maxInboundStreams: MAX_STREAMS, maxOutboundStreams: MAX_STREAMS },
    );
  }
  const commanded: CommandedNode = {
    peerId: node.peerId.toString(),
    addrs: node.getMultiaddrs().map((address) => address.toString().replace(/\/p2p\/.*/, "")),
    dial: async (address) => (await node.dial(multiaddr(address))).remotePeer.toString(),
    disconnect: (peerId) => node.hangUp(peerIdFromString(peerId)),
    openStream: async (peerId, protocol) => {
      const options = { maxOutboundStreams: MAX_STREAMS };
      const stream = await node.dialProtocol(peerIdFromString(peerId), protocol, options);
      return libp2pStream(stream, write);
    },
    peers: () => node.getPeers().map(String),
    stop: async () => await node.stop(),
  };
  await obey(commanded);
}

await main();
