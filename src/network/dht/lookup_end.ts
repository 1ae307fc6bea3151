import type { PeerId } from "@libp2p/interface";
import { createHash } from "node:crypto";

/** Closest peers whose answers end a search, as Go's: asking the other seventeen finds nothing new. */
const ENOUGH_CLOSEST = 3;

/** Tells when a search may end: the peers closest to the key, of all that were named, have answered. */
export class LookupEnd {
  readonly #target: bigint;
  /** Closest first. */
  readonly #named: { readonly id: string; readonly distance: bigint }[] = [];
  readonly #seen = new Set<string>();
  readonly #answered = new Set<string>();

  /** @param key As the library keeps it. */
  constructor(key: Uint8Array) {
    this.#target = pointOf(key);
  }

  /** A peer answered, and named others. @returns Whether that is enough. */
  answered(peer: PeerId, closer: readonly { id: PeerId }[]): boolean {
    this.#name(peer);
    for (const { id } of closer) this.#name(id);
    this.#answered.add(peer.toString());
    const closest = this.#named.slice(0, ENOUGH_CLOSEST);
    return closest.length === ENOUGH_CLOSEST && closest.every(({ id }) => this.#answered.has(id));
  }

  /** A peer, or this node itself, will not answer. */
  dropped(peer: PeerId): void {
    const id = peer.toString();
    this.#seen.add(id);
    const at = this.#named.findIndex((one) => one.id === id);
    if (at >= 0) this.#named.splice(at, 1);
  }

  #name(peer: PeerId): void {
    const id = peer.toString();
    if (this.#seen.has(id)) return;
    this.#seen.add(id);
    const distance = pointOf(peer.toMultihash().bytes) ^ this.#target;
    const at = this.#named.findIndex((one) => one.distance > distance);
    this.#named.splice(at < 0 ? this.#named.length : at, 0, { id, distance });
  }
}

function pointOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${createHash("sha256").update(bytes).digest("hex")}`);
}
