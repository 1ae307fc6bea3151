import type { Clock } from "../core/mod.ts";

/** Answers that a peer gets in a row after a quiet time; our own client asks a fraction of it. */
export const MAX_ANSWERS_AT_ONCE = 128;
/** And from then on, a second. */
export const ANSWERS_PER_SECOND = 32;
/** So many bytes of an answer count as one more. */
const BYTES_PER_ANSWER = 1_048_576;
/** Peers that are remembered. */
const MAX_PEERS = 1_024;

/** How often a peer is told of lists, manifests and chunks that are there. */
export class QuestionLimit {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #peers = new Map<string, { left: number; at: number }>();

  constructor({ clock }: { clock: Pick<Clock, "monotonic"> }) {
    this.#clock = clock;
  }

  /** Whether a peer may be answered now; that counts as one answer. */
  take(peerId: string): boolean {
    const now = this.#clock.monotonic();
    const { left: before, at } = this.#peers.get(peerId) ?? { left: MAX_ANSWERS_AT_ONCE, at: now };
    const left = Math.min(MAX_ANSWERS_AT_ONCE, before + (now - at) * ANSWERS_PER_SECOND / 1_000);
    const isAnswered = left >= 1;
    this.#peers.delete(peerId);
    this.#peers.set(peerId, { left: isAnswered ? left - 1 : left, at: now });
    const [oldest] = this.#peers.keys();
    if (this.#peers.size > MAX_PEERS && oldest !== undefined) this.#peers.delete(oldest);
    return isAnswered;
  }

  /** A long answer counts for several, also if that is more than are left. */
  sent(peerId: string, bytes: number): void {
    const peer = this.#peers.get(peerId);
    if (peer) peer.left -= Math.floor(bytes / BYTES_PER_ANSWER);
  }
}
