import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { logger, messageOf } from "../core/mod.ts";
import type { BootstrapPeer } from "./dialer.ts";

/** Bootstrap peers taken from one list. */
export const MAX_BOOTSTRAP_PEERS = 64;

const log = logger("network");

/**
 * Reads a comma list of multiaddrs that end in `/p2p/<peer id>`; an item that makes no sense is
 * logged and passed over, contract 1.2.
 */
export function parseBootstrapPeers(list: string): BootstrapPeer[] {
  const items = list.split(",").map((item) => item.trim()).filter(Boolean);
  return items.slice(0, MAX_BOOTSTRAP_PEERS).flatMap((item) => {
    try {
      const last = multiaddr(item).getComponents().at(-1);
      if (last?.name !== "p2p") throw new TypeError("it does not end in /p2p/<peer id>");
      return [{ peerId: peerIdFromString(last.value ?? "").toString(), address: item }];
    } catch (failure) {
      log.warn("Bootstrap peer is passed over", { item, reason: messageOf(failure) });
      return [];
    }
  });
}
