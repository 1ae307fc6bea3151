import type { Libp2p, PeerId } from "@libp2p/interface";

/** Protocols remembered of one peer; past that it is asked of the store again. */
const MAX_PROTOCOLS = 256;

/**
 * Spares the peer store what it has been told already: libp2p reads, compares and may write a peer's
 * entry for every single stream, only to note that the peer speaks the stream's protocol.
 */
export function rememberProtocols(node: Libp2p): void {
  const spoken = new Map<string, Set<string>>();
  const { peerStore } = node;
  const merge = peerStore.merge.bind(peerStore);
  peerStore.merge = async (peerId, data, options) => {
    const [protocol, ...others] = data.protocols ?? [];
    const isStream = protocol !== undefined && others.length === 0 &&
      Object.keys(data).length === 1;
    const isConnected = () => node.getConnections(peerId).length > 0;
    if (!isStream || !isConnected()) return await merge(peerId, data, options);
    const known = spoken.get(peerId.toString()) ?? new Set();
    // Nobody reads what comes back for a stream.
    if (known.has(protocol)) return { id: peerId, ...NOTHING_NEW };
    const peer = await merge(peerId, data, options);
    if (isConnected() && known.size < MAX_PROTOCOLS) {
      spoken.set(peerId.toString(), known.add(protocol));
    }
    return peer;
  };
  const forget = (peerId: PeerId) => spoken.delete(peerId.toString());
  node.addEventListener("peer:disconnect", ({ detail }) => forget(detail));
  // Its answer replaces what the store knew.
  node.addEventListener("peer:identify", ({ detail }) => forget(detail.peerId));
}

const NOTHING_NEW = { addresses: [], metadata: new Map(), tags: new Map(), protocols: [] };
