/**
 * Tells when a daemon on the same host connected to a peer: asks ListPeers every few milliseconds, from before the
 * daemon listens. Writes `{"event":"watching"}`, then one `{"event":"connected","peer","epochMs"}`.
 *
 * Usage: `connection_watcher.ts <grpc address>`.
 */
import process from "node:process";
import { pause } from "../../src/core/mod.ts";
import { GrpcClient } from "../support/grpc_client.ts";

const POLL_MS = 5;

interface Peer {
  readonly peer_id: string;
  readonly is_self: boolean;
  readonly is_connected: boolean;
}

const [address = ""] = process.argv.slice(2);

async function connectedPeer(client: GrpcClient): Promise<string | undefined> {
  const { peers } = await client.call("ListPeers") as { peers: readonly Peer[] };
  return peers.find((peer) => peer.is_connected && !peer.is_self)?.peer_id;
}

async function watch(): Promise<string> {
  while (true) {
    // A client that was refused waits longer and longer before it dials again, so each try has its own.
    using client = new GrpcClient(address);
    try {
      for (let peer = await connectedPeer(client);; peer = await connectedPeer(client)) {
        if (peer !== undefined) return peer;
        await pause(POLL_MS);
      }
    } catch {
      await pause(POLL_MS);
    }
  }
}

process.stdout.write(`${JSON.stringify({ event: "watching" })}\n`);
const peer = await watch();
process.stdout.write(`${JSON.stringify({ event: "connected", peer, epochMs: Date.now() })}\n`);
