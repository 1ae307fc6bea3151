/** Ordinary libp2p nodes for tests: well-behaved on the wire, whatever the test then does with them. */
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { identify } from "@libp2p/identify";
import type { Connection, Libp2p } from "@libp2p/interface";
import { type Ping, ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";

/** A node that dials, pings and identifies itself. */
export type PlainPeer = Libp2p<{ ping: Ping }>;

const PING_PROTOCOL = "/ipfs/ping/1.0.0";
/** As many as a daemon takes on a connection; libp2p opens one. */
const PING_STREAMS = 2;
const PING_BYTES = 32;

/** Starts a node with a new identity that does not listen. */
export function plainPeer(): Promise<PlainPeer> {
  return createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    connectionGater: { denyDialMultiaddr: () => false },
    connectionManager: { reconnectRetries: 0 },
    services: { identify: identify(), ping: ping({ maxOutboundStreams: PING_STREAMS }) },
  });
}

/** Dials, pings and closes as a new peer; gives the milliseconds until the ping was answered. */
export async function visitAsPeer(address: string, timeoutMs: number): Promise<number> {
  const node = await plainPeer();
  try {
    return await dialAndPing(node, multiaddr(address), timeoutMs);
  } finally {
    await node.stop();
  }
}

/** Dials, pings and closes; gives the milliseconds until the ping was answered. */
export async function dialAndPing(
  node: PlainPeer,
  address: Multiaddr,
  timeoutMs: number,
): Promise<number> {
  const signal = AbortSignal.timeout(timeoutMs);
  const startedAt = performance.now();
  const connection = await node.dial(address, { signal, force: true });
  await pingOver(connection, signal);
  const ms = performance.now() - startedAt;
  await connection.close();
  return ms;
}

// libp2p's service would take any connection of the peer, also one that is being closed.
async function pingOver(connection: Connection, signal: AbortSignal): Promise<void> {
  const stream = await connection.newStream(PING_PROTOCOL, { signal });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let missing = PING_BYTES;
  stream.addEventListener("message", ({ data }) => {
    missing -= data.byteLength;
    if (missing <= 0) resolve();
  });
  stream.addEventListener("close", () => reject(new TypeError("Ping was not answered")));
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  stream.send(new Uint8Array(PING_BYTES));
  await promise;
}
