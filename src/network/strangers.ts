import type { Libp2p } from "@libp2p/interface";

/**
 * libp2p keeps an entry of every peer that ever connected, and peer ids cost a stranger nothing; what is
 * worth knowing of peers is in the peer book, which is bounded.
 *
 * @param kept Entries that stay in any case. @default {0}
 */
export async function forgetStrangers(node: Libp2p | undefined, kept = 0): Promise<void> {
  if (!node) return;
  for (const { id } of (await node.peerStore.all()).slice(kept)) {
    const isGone = node.getConnections(id).length === 0;
    if (isGone && !id.equals(node.peerId)) await node.peerStore.delete(id);
  }
}
