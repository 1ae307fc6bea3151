import type { Libp2p } from "@libp2p/interface";

/**
 * Keeps what identify says of ourselves out of our own entry in the peer store: it says the same
 * without that note, and sorting the note's two words loads the collation tables of every
 * language, which took 10 ms of each start.
 */
export function leaveOutOwnNote(node: Libp2p): void {
  const { peerStore } = node;
  const merge = peerStore.merge.bind(peerStore);
  peerStore.merge = async (peerId, data, options) => {
    if (!data.metadata || !node.peerId.equals(peerId)) return await merge(peerId, data, options);
    const { metadata: _, ...rest } = data;
    return await merge(peerId, rest, options);
  };
}
