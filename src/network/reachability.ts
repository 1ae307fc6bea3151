import type { Libp2p } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import { isPublic } from "./addresses.ts";

/** Whether strangers on the internet can dial this daemon, as far as is known. */
export type ReachabilityState = "public" | "private" | "unknown";

/** libp2p's book of own addresses; no part of its public interface. */
interface AddressManager {
  getAddressesWithMetadata(): { multiaddr: Multiaddr; verified: boolean }[];
  removeObservedAddr(address: Multiaddr, options?: object): void;
}

/** What other peers found out about our addresses. */
export class Reachability {
  #addresses: AddressManager | undefined;
  #wasRefuted = false;

  /** Takes note of what checks find from now on; they take back an address that nobody reaches. */
  watch(node: Libp2p): void {
    const { addressManager } =
      (node as unknown as { components: { addressManager: AddressManager } }).components;
    const remove = addressManager.removeObservedAddr.bind(addressManager);
    addressManager.removeObservedAddr = (address, options) => {
      this.#wasRefuted ||= isPublic(address.toString());
      remove(address, options);
    };
    this.#addresses = addressManager;
  }

  /** `public` by one address that is proved, `private` once a check has failed. */
  get state(): ReachabilityState {
    const all = this.#addresses?.getAddressesWithMetadata() ?? [];
    if (all.some((one) => one.verified && isPublic(one.multiaddr.toString()))) return "public";
    return this.#wasRefuted ? "private" : "unknown";
  }
}
