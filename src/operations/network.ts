import * as z from "zod";
import { kept, query } from "../core/mod.ts";
import type { PeerSnapshot } from "../network/mod.ts";
import type { Components } from "./components.ts";
import { geolocationOutput, PeerInfo } from "./schemas.ts";

const outputOf = kept((peers: readonly PeerSnapshot[]) =>
  Object.freeze({
    peers: peers.map((peer) => ({
      peer_id: peer.peerId,
      addresses: [...peer.addresses],
      is_internal: peer.isInternal,
      is_connected: peer.isConnected,
      is_self: peer.isSelf,
      ...(peer.geo ? { geo: geolocationOutput(peer.geo) } : {}),
    })),
  })
);

/** Peers seen since start. */
export const listPeers = query({
  name: "network.peers",
  rpc: "ListPeers",
  summary: "Peers seen since start: this daemon first, then connected ones, then by peer id",
  input: z.strictObject({ connected: z.boolean().optional() }),
  output: z.object({ peers: z.array(PeerInfo) }),
  run: ({ connected }, { peers }: Pick<Components, "peers">) => outputOf(peers.list({ connected })),
});
