import { peerIdFromString } from "@libp2p/peer-id";
import { DaemonError } from "../core/mod.ts";
import { formatAddress, nodeNumber, parseAddress } from "./address.ts";
import type { PeerRef } from "./plugin.ts";

/** Finds the peer id behind what callers name a peer by, contract 4.2. */
export class PeerNames {
  readonly #known: () => Iterable<string>;
  readonly #numbers = new Map<string, number>();

  /** @param known Peer ids that a number may stand for. */
  constructor(known: () => Iterable<string>) {
    this.#known = known;
  }

  /**
   * The peer id of a peer id, an address or a number.
   *
   * @throws {DaemonError} `invalid_argument` if it is none of these, or a number of several peers;
   *   `not_found` if it is the number of nobody we know.
   */
  resolve(ref: PeerRef): string {
    if (typeof ref === "number") return this.#byNumber(ref);
    if (ref.includes(":")) return this.#byNumber(parseAddress(ref).node);
    return checkPeerId(ref);
  }

  /** The short address of a peer, contract 4.2; two peers may share one. */
  nameOf(peerId: string): string {
    return formatAddress({ network: 0, node: this.#numberOf(peerId) });
  }

  #byNumber(node: number): string {
    const found = new Set<string>();
    for (const peerId of this.#known()) if (this.#numberOf(peerId) === node) found.add(peerId);
    const [peerId] = found;
    if (peerId !== undefined && found.size === 1) return peerId;
    if (found.size > 1) {
      throw new DaemonError(
        "invalid_argument",
        `Cannot tell which peer number ${node} is: ${found.size} peers have it; give the peer id`,
      );
    }
    throw new DaemonError("not_found", `Cannot find peer number ${node}: give the peer id`);
  }

  #numberOf(peerId: string): number {
    const known = this.#numbers.get(peerId);
    if (known !== undefined) return known;
    const number = nodeNumber(peerId);
    if (this.#numbers.size >= MAX_NUMBERS) this.#numbers.clear();
    this.#numbers.set(peerId, number);
    return number;
  }
}

const MAX_NUMBERS = 16_384;

/** The peer id itself, in its one spelling. @throws {DaemonError} `invalid_argument`. */
export function checkPeerId(text: string): string {
  try {
    return peerIdFromString(text).toString();
  } catch {
    throw new DaemonError(
      "invalid_argument",
      `Cannot use peer id ${JSON.stringify(String(text).slice(0, 100))}: it is none; ` +
        "almenad peers lists those that were seen",
    );
  }
}
