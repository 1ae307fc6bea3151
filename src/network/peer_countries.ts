import { guard } from "../core/mod.ts";
import { isPublic } from "./addresses.ts";
import type { PeerBook } from "./peer_book.ts";

/** What fills in countries stands on. */
export interface PeerCountriesComponents {
  readonly peers: PeerBook;
  readonly countries: {
    load(): Promise<void>;
    lookup(ip: string): { readonly code: string; readonly name: string } | undefined;
  };
}

/**
 * Fills in the country of a connected peer from its public IPv4 address, offline; whatever the
 * peer tells of itself later replaces it.
 */
export class PeerCountries {
  readonly #components: PeerCountriesComponents;

  constructor(components: PeerCountriesComponents) {
    this.#components = components;
  }

  /** Looks the peer up behind the caller's back; never throws. */
  connected(peerId: string): void {
    const { peers, countries } = this.#components;
    const peer = peers.get(peerId);
    const ip = peer?.geo ? undefined : publicIpv4(peer?.addresses ?? []);
    if (!ip) return;
    guard("look up a peer's country", async () => {
      await countries.load();
      const country = countries.lookup(ip);
      if (!country || peers.get(peerId)?.geo) return;
      peers.geoReceived(peerId, {
        ip,
        city: "",
        region: "",
        countryCode: country.code,
        countryName: country.name,
        timezone: "",
        latitude: 0,
        longitude: 0,
      });
    });
  }
}

function publicIpv4(addresses: readonly string[]): string | undefined {
  const address = addresses.find((one) => one.startsWith("/ip4/") && isPublic(one));
  return address?.split("/")[2];
}
