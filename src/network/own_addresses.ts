import type { Libp2p } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";

/** What libp2p keeps of our own addresses; none of it is part of its public interface. */
interface Addressing {
  addressManager: {
    confirmObservedAddr(address: Multiaddr, options: { type: "transport"; ttl: number }): void;
  };
  transportManager: { getAddrs(): Multiaddr[] };
}

/**
 * Counts the addresses that are listened on as ours. libp2p tells nobody of a public one until
 * four strangers have dialled it, so a host on the open internet would have no address at all.
 */
export function confirmListenAddresses(node: Libp2p): void {
  const { components } = node as unknown as { components: Addressing };
  for (const address of components.transportManager.getAddrs()) {
    if (address.toString().includes("/p2p-circuit")) continue; // its relay's, confirmed with the place
    components.addressManager.confirmObservedAddr(address, { type: "transport", ttl: Infinity });
  }
}
