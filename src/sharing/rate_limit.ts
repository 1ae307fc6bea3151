import { type Clock, pause } from "../core/mod.ts";

/** How much may pass at once after a quiet time, in seconds of the rate. */
const BURST_SECONDS = 0.25;

/** Lets bytes through at a rate; nobody waits when there is no limit. */
export class RateLimit {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #rate: () => number;
  #freeAt = 0;

  /** @param bytesPerSecond Asked at each use; 0 for no limit. */
  constructor(clock: Pick<Clock, "monotonic">, bytesPerSecond: () => number) {
    this.#clock = clock;
    this.#rate = bytesPerSecond;
  }

  /** Waits until so many bytes may pass. Those who come first go first. */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    const rate = this.#rate();
    if (rate <= 0) return;
    const now = this.#clock.monotonic();
    const start = Math.max(this.#freeAt, now - BURST_SECONDS * 1_000);
    this.#freeAt = start + bytes * 1_000 / rate;
    const wait = this.#freeAt - now;
    if (wait > 0) await pause(wait, signal);
    signal?.throwIfAborted();
  }
}

/** The limits of one direction: of all peers together, and of each. */
export class RateLimits {
  readonly #total: RateLimit;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #perPeer: () => number;
  readonly #peers = new Map<string, RateLimit>();

  constructor(
    clock: Pick<Clock, "monotonic">,
    rates: { total(): number; perPeer(): number },
  ) {
    this.#clock = clock;
    this.#total = new RateLimit(clock, () => rates.total());
    this.#perPeer = () => rates.perPeer();
  }

  /** Waits until so many bytes may pass from or to a peer. */
  async take(peerId: string, bytes: number, signal?: AbortSignal): Promise<void> {
    await this.#of(peerId).take(bytes, signal);
    await this.#total.take(bytes, signal);
  }

  #of(peerId: string): RateLimit {
    const known = this.#peers.get(peerId) ?? new RateLimit(this.#clock, this.#perPeer);
    this.#peers.delete(peerId);
    this.#peers.set(peerId, known);
    const [oldest] = this.#peers.keys();
    if (this.#peers.size > 1_024 && oldest !== undefined) this.#peers.delete(oldest);
    return known;
  }
}
