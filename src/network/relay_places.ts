import type { Libp2p } from "@libp2p/interface";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { DaemonError, logger, messageOf } from "../core/mod.ts";

/** Relays at a time that a place is asked of. */
export const MAX_RELAYS = 16;
/** Places that are enough where several relays are offered; Go's autorelay holds as many. */
const ENOUGH_PLACES = 2;
/** What leads to a relay that is still to be found. */
const ANY_RELAY = "/p2p-circuit";

/** A relay that holds, or is to hold, a place for this daemon. */
export interface RelayPlace {
  /** As it was asked for; empty for whichever can be found. */
  readonly relay: string;
  /** Where peers reach us through it; empty while it gives none. */
  readonly addresses: readonly string[];
  /** Why it gave none at the last try; empty if it did. */
  readonly problem: string;
}

/** libp2p's listener behind one relay; it is asked again rather than made anew, for it never goes. */
interface RelayListener {
  listeningAddrs: Multiaddr[];
  listen(address: Multiaddr): Promise<void>;
  getAddrs(): Multiaddr[];
}

interface Managers {
  components: {
    addressManager: { removeObservedAddr(address: Multiaddr): void };
    transportManager: {
      listen(addresses: Multiaddr[]): Promise<void>;
      getListeners(): RelayListener[];
    };
  };
}

interface Wanted {
  readonly relay: string;
  /** Somebody asked for this one, not for any of several. */
  readonly isNamed: boolean;
  listener: RelayListener | undefined;
  problem: string;
}

const log = logger("network");

/** Places at relays, so that peers reach a daemon that listens where nobody gets to. */
export class RelayPlaces {
  readonly #node: () => Libp2p;
  /** By the relay's peer id; one without is whichever can be found. */
  readonly #wanted = new Map<string, Wanted>();
  readonly #unused = new Map<string, RelayListener>();
  // One after another: a new listener is told apart by having been the last to appear.
  #last: Promise<unknown> = Promise.resolve();

  constructor({ node }: { node(): Libp2p }) {
    this.#node = node;
  }

  /** All that are held or wanted. */
  list(): RelayPlace[] {
    return [...this.#wanted.values()].map(placeOf);
  }

  /**
   * Wants a few places at any of these from now on; {@link RelayPlaces.keep} gets them.
   *
   * @param relays Multiaddrs with the relays' peer ids; an empty one is any that can be found.
   */
  want(relays: readonly string[]): void {
    for (const relay of relays.slice(0, MAX_RELAYS)) {
      try {
        this.#entry(relay === "" ? "" : relayIdOf(relay), relay, false);
      } catch (failure) {
        log.warn("A relay is passed over", { reason: messageOf(failure) });
      }
    }
  }

  /**
   * Gets a place, and keeps it until it is released.
   *
   * @param relay Multiaddr with the relay's peer id.
   * @throws {DaemonError} `invalid_argument`, `resource_exhausted`, `unavailable` if it gives none;
   *   then it is not asked again.
   */
  async reserve(relay: string): Promise<RelayPlace> {
    const id = relayIdOf(relay);
    const isNew = !this.#wanted.has(id);
    const wanted = this.#entry(id, relay, true);
    await this.#ask(id);
    const place = placeOf(wanted);
    if (place.addresses.length > 0) return place;
    if (isNew) this.#forget(id);
    throw new DaemonError(
      "unavailable",
      `Cannot get a place at ${relay}: ${place.problem || "it gave none"}`,
    );
  }

  /**
   * Wants a place no longer. The connection to the relay is closed, which gives the place back.
   *
   * @param relay Its multiaddr or its peer id.
   * @returns Whether it was wanted.
   */
  async release(relay: string, signal: AbortSignal): Promise<boolean> {
    const id = relay.startsWith("/") ? relayIdOf(relay) : relay;
    if (!this.#wanted.has(id)) return false;
    this.#forget(id);
    const links = this.#node().getConnections().filter(({ remotePeer, limits }) =>
      !limits && remotePeer.toString() === id
    );
    await Promise.all(
      links.map((link) => link.close({ signal }).catch((error) => link.abort(error))),
    );
    return true;
  }

  /** Asks for the places that are missing: a relay that went away may be back. */
  async keep(): Promise<void> {
    for (const [id, wanted] of this.#wanted) {
      const held = this.list().filter(({ addresses }) => addresses.length > 0).length;
      const isHeld = placeOf(wanted).addresses.length > 0;
      const isEnough = !wanted.isNamed && held >= ENOUGH_PLACES;
      const isSearched = id === "" && wanted.listener !== undefined; // goes on by itself
      if (!isHeld && !isEnough && !isSearched) await this.#ask(id);
    }
  }

  #entry(id: string, relay: string, isNamed: boolean): Wanted {
    const known = this.#wanted.get(id);
    if (known) return known;
    if (this.#wanted.size >= MAX_RELAYS) {
      const message = `Cannot ask more relays for a place: ${MAX_RELAYS} are asked already`;
      throw new DaemonError("resource_exhausted", message);
    }
    const wanted = { relay, isNamed, listener: this.#unused.get(id), problem: "" };
    this.#unused.delete(id);
    this.#wanted.set(id, wanted);
    return wanted;
  }

  #forget(id: string): void {
    const listener = this.#wanted.get(id)?.listener;
    this.#wanted.delete(id);
    if (listener) this.#unused.set(id, listener);
  }

  #ask(id: string): Promise<void> {
    const asked = this.#last.then(() => this.#listen(id));
    this.#last = asked;
    return asked;
  }

  async #listen(id: string): Promise<void> {
    const wanted = this.#wanted.get(id);
    if (!wanted || placeOf(wanted).addresses.length > 0) return;
    const address = multiaddr(`${wanted.relay}${ANY_RELAY}`);
    const { transportManager } = (this.#node() as unknown as Managers).components;
    const before = new Set(transportManager.getListeners());
    try {
      if (wanted.listener) await wanted.listener.listen(address);
      else await transportManager.listen([address]);
      wanted.problem = "";
      log.info("A relay was asked for a place", { relay: wanted.relay || "any" });
    } catch (failure) {
      wanted.problem = reasonOf(failure);
      log.debug("A relay gave us no place", { relay: wanted.relay, failure });
    }
    wanted.listener ??= transportManager.getListeners().find((one) => !before.has(one));
    if (wanted.listener) this.#dropCallersPorts(wanted.listener, id);
  }

  // A relay that dialled us is taken to listen where it dialled from, where nobody reaches it.
  #dropCallersPorts(listener: RelayListener, id: string): void {
    const node = this.#node();
    const { addressManager } = (node as unknown as Managers).components;
    const wrong = node.getConnections()
      .filter(({ direction, remotePeer }) =>
        direction === "inbound" && remotePeer.toString() === id
      )
      .map(({ remoteAddr }) => `${remoteAddr}${ANY_RELAY}`);
    const isWrong = (address: Multiaddr) => wrong.includes(address.toString());
    const dropped = listener.listeningAddrs.filter(isWrong);
    if (dropped.length === listener.listeningAddrs.length) return; // better than none
    listener.listeningAddrs = listener.listeningAddrs.filter((address) => !isWrong(address));
    for (const address of dropped) addressManager.removeObservedAddr(address);
  }
}

function placeOf({ relay, listener, problem }: Wanted): RelayPlace {
  return { relay, problem, addresses: listener?.getAddrs().map(String) ?? [] };
}

function relayIdOf(relay: string): string {
  try {
    const parts = multiaddr(relay).getComponents();
    const last = parts.at(-1);
    const isPlain = last?.name === "p2p" && parts.every(({ name }) => name !== "p2p-circuit");
    if (isPlain && last.value) return last.value;
  } catch {
    // said below
  }
  throw new DaemonError(
    "invalid_argument",
    `Cannot use "${relay.slice(0, 200)}" as a relay: expected a multiaddr with its peer id, such ` +
      "as /ip4/192.168.1.7/tcp/4001/p2p/12D3Koo…",
  );
}

// libp2p packs the stack of each cause into one message.
function reasonOf(failure: unknown): string {
  const lines = messageOf(failure).split("\n").map((line) => line.trim()).filter(Boolean);
  const told = lines.find((line) => /^(\/\S+: )?\w*Error: /.test(line)) ?? lines[0] ?? "";
  return told.replace(/^(\/\S+: )?\w*Error: /, "");
}
