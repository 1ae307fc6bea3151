import type { Libp2p } from "@libp2p/interface";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { type Clock, guard, logger, messageOf, type Timer } from "../core/mod.ts";

/** How often a lost place at a relay is asked for anew. */
const ASK_INTERVAL_MS = 5_000;
/** The same after a peer left, which may have been the relay: by then libp2p has noticed, too. */
const ASK_SOON_MS = 250;
/** Takes any relay that libp2p comes across. */
export const ANY_RELAY = "/p2p-circuit";

interface Listener {
  listen(address: Multiaddr): Promise<void>;
}

interface TransportManager {
  listen(addresses: Multiaddr[]): Promise<void>;
  getListeners(): Listener[];
}

const log = logger("network");

/** Keeps a place at one of some relays: where one goes away, the next is asked, and it again later. */
export class RelayPlaces {
  readonly #node: () => Libp2p;
  readonly #clock: Clock;
  readonly #relays: readonly string[];
  // libp2p makes a listener with each call and keeps it for ever, so every relay has one.
  readonly #listeners = new Map<string, Listener>();
  #timer: Timer | undefined;
  #soon: Timer | undefined;
  #isAsking = false;
  #hadPlace = false;

  /** @param relays Relayed multiaddrs to listen on, the preferred first, or {@link ANY_RELAY}. */
  constructor(
    components: { node(): Libp2p; clock: Clock },
    init: { relays: readonly string[] },
  ) {
    this.#node = components.node;
    this.#clock = components.clock;
    this.#relays = init.relays;
  }

  /** Begins to ask. */
  start(): void {
    if (this.#relays.length === 0) return;
    const ask = () => guard("ask relays for a place", () => this.#ask());
    ask();
    this.#timer = this.#clock.every(ASK_INTERVAL_MS, ask);
    this.#node().addEventListener("peer:disconnect", () => {
      this.#soon ??= this.#clock.after(ASK_SOON_MS, () => {
        this.#soon = undefined;
        ask();
      });
    });
  }

  /** Asks no more. */
  stop(): void {
    this.#timer?.cancel();
    this.#soon?.cancel();
  }

  // A relay that went away takes its address with it.
  async #ask(): Promise<void> {
    const { components } = this.#node() as unknown as {
      components: { transportManager: TransportManager };
    };
    const addresses = this.#node().getMultiaddrs().map(String);
    if (addresses.some((address) => address.includes(ANY_RELAY))) {
      this.#hadPlace = true;
      return;
    }
    if (this.#isAsking) return;
    if (this.#hadPlace) log.warn("Lost the place at a relay; others are asked", {});
    this.#hadPlace = false;
    this.#isAsking = true;
    try {
      for (const relay of this.#relays) {
        if (await this.#askOne(components.transportManager, relay)) return;
      }
      log.info("No relay gave us a place; they are asked again", { relays: this.#relays.length });
    } finally {
      this.#isAsking = false;
    }
  }

  async #askOne(transports: TransportManager, relay: string): Promise<boolean> {
    const known = this.#listeners.get(relay);
    if (known && relay === ANY_RELAY) return true; // it goes on searching by itself
    const before = new Set(transports.getListeners());
    try {
      if (known) await known.listen(multiaddr(relay));
      else await transports.listen([multiaddr(relay)]);
      log.info("A relay gave us a place", { relay });
      return true;
    } catch (failure) {
      log.debug("A relay gave us no place", { relay, reason: messageOf(failure) });
      return false;
    } finally {
      const made = transports.getListeners().find((listener) => !before.has(listener));
      if (!known && made) this.#listeners.set(relay, made);
    }
  }
}
