import * as z from "zod";
import { action, kept, once, query } from "../core/mod.ts";
import type { PeerSnapshot } from "../network/mod.ts";
import type { Components } from "./components.ts";
import { geolocationOutput, PeerInfo } from "./schemas.ts";

/** One peer in wire form. */
export function peerInfoOutput(peer: PeerSnapshot): z.input<ReturnType<typeof PeerInfo>> {
  return {
    peer_id: peer.peerId,
    addresses: [...peer.addresses],
    is_internal: peer.isInternal,
    is_connected: peer.isConnected,
    is_self: peer.isSelf,
    ...(peer.isConnected && !peer.isSelf
      ? { connection: peer.isRelayed ? "relayed" as const : "direct" as const }
      : {}),
    ...(peer.geo ? { geo: geolocationOutput(peer.geo) } : {}),
  };
}

const outputOf = kept((peers: readonly PeerSnapshot[]) =>
  Object.freeze({ peers: peers.map(peerInfoOutput) })
);

/** Peers seen since start. */
export const listPeers = query({
  name: "network.peers",
  rpc: "ListPeers",
  summary: "Peers seen since start: this daemon first, then connected ones, then by peer id",
  input: () => z.strictObject({ connected: z.boolean().optional() }),
  output: () => z.object({ peers: z.array(PeerInfo()) }),
  run: ({ connected }, { peers }: Pick<Components, "peers">) => outputOf(peers.list({ connected })),
});

const PeerId = once(() => z.string().max(128));

type StatusUses = Pick<Components, "daemon" | "peers" | "health" | "reach">;

/** The swarm in figures. */
export const networkStatus = query({
  name: "network.status",
  summary: "This daemon on the network: its id, its addresses, and how many peers it knows",
  input: () => z.strictObject({}),
  output: () =>
    z.object({
      peer_id: z.string(),
      addresses: z.array(z.string()),
      peers: z.number().describe("Peers seen since start, without this daemon"),
      connected_peers: z.number(),
      relayed_peers: z.number().describe("Of them, those that are reached over a relay alone"),
      reachability: z.enum(["public", "private", "unknown"])
        .describe("Whether strangers can dial this daemon, as far as other peers have found out"),
      relay_addresses: z.array(z.string()).describe("Where peers reach it over relays"),
      is_relay: z.boolean().describe("Whether it is a relay for others"),
      is_serving: z.boolean(),
    }),
  run: (_input, { daemon, peers, health, reach }: StatusUses) => {
    const others = peers.list().filter(({ isSelf }) => !isSelf);
    const { reachability, relays, guests } = reach();
    return {
      peer_id: daemon.peerId,
      addresses: [...daemon.p2pAddresses()],
      peers: others.length,
      connected_peers: others.filter(({ isConnected }) => isConnected).length,
      relayed_peers: others.filter(({ isRelayed }) => isRelayed).length,
      reachability,
      relay_addresses: relays?.list().flatMap(({ addresses }) => addresses) ?? [],
      is_relay: guests !== undefined,
      is_serving: health.list().some(({ component, serving }) => component === "swarm" && serving),
    };
  },
});

/** Connects to a peer. */
export const connectPeer = action({
  name: "network.connect",
  summary: "Connect to a peer by its id, or by a multiaddr",
  positional: ["peer"],
  input: () =>
    z.strictObject({
      peer: z.string().max(1_024).describe("Peer id, or multiaddr such as /ip4/…/tcp/…/p2p/…"),
    }),
  output: () => z.object({ peer_id: z.string() }),
  run: async ({ peer }, { links }: Pick<Components, "links">, { signal }) => ({
    peer_id: await links.connect(peer, signal),
  }),
});

/** Disconnects from a peer. */
export const disconnectPeer = action({
  name: "network.disconnect",
  summary: "Disconnect from a peer and keep it away until connect or a restart",
  positional: ["peer_id"],
  input: () => z.strictObject({ peer_id: PeerId() }),
  output: () => z.object({ peer_id: z.string(), was_connected: z.boolean() }),
  run: async ({ peer_id }, { links }: Pick<Components, "links">) => ({
    peer_id,
    was_connected: await links.disconnect(peer_id),
  }),
});

/** Measures the way to a peer. */
export const pingPeer = action({
  name: "network.ping",
  summary: "Round-trip time to a connected peer",
  positional: ["peer_id"],
  input: () => z.strictObject({ peer_id: PeerId() }),
  output: () => z.object({ peer_id: z.string(), rtt_ms: z.number() }),
  run: async ({ peer_id }, { links }: Pick<Components, "links">, { signal }) => ({
    peer_id,
    rtt_ms: await links.ping(peer_id, signal),
  }),
});
