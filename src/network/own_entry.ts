import type { Libp2p } from "@libp2p/interface";
import { type Clock, guard } from "../core/mod.ts";

/** Our protocols are written so long after the first of them was handled, or once somebody asks. */
const WRITE_AFTER_MS = 500;

/**
 * Spares a start most writes to our own entry in libp2p's peer store. Without this each protocol
 * that is handled has the entry read, sorted, written, compared, and all our addresses worked out
 * anew; and sorting the first two words loads the collation tables of every language.
 *
 * What identify notes of ourselves is left out: it tells others the same without that note.
 */
export function collectOwnProtocols(node: Libp2p, clock: Clock): void {
  const { peerStore } = node;
  const get = peerStore.get.bind(peerStore);
  const merge = peerStore.merge.bind(peerStore);
  const patch = peerStore.patch.bind(peerStore);
  const collected = new Set<string>();
  let written: Promise<unknown> = Promise.resolve();
  const write = () => {
    if (collected.size > 0) {
      const protocols = [...collected];
      collected.clear();
      const now = () => merge(node.peerId, { protocols });
      written = written.then(now, now);
    }
    return written;
  };
  peerStore.get = async (peerId, options) => {
    if (node.peerId.equals(peerId)) await write();
    return await get(peerId, options);
  };
  peerStore.patch = async (peerId, data, options) => {
    // These are all there are, the collected ones among them.
    if (data.protocols && node.peerId.equals(peerId)) collected.clear();
    return await patch(peerId, data, options);
  };
  peerStore.merge = async (peerId, { metadata, ...data }, options) => {
    if (!node.peerId.equals(peerId)) {
      return await merge(peerId, metadata ? { ...data, metadata } : data, options);
    }
    const { protocols = [], ...rest } = data;
    if (protocols.length > 0 && collected.size === 0) {
      const timer = clock.after(WRITE_AFTER_MS, () => guard("write our own protocols", write));
      node.addEventListener("stop", () => timer.cancel(), { once: true });
    }
    for (const protocol of protocols) collected.add(protocol);
    if (Object.keys(rest).length > 0) return await merge(peerId, rest, options);
    return { id: peerId, addresses: [], metadata: new Map(), tags: new Map(), protocols: [] };
  };
}
