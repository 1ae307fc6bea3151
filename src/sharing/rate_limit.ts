import { type Clock, pause } from "../core/mod.ts";

/** How much may pass at once after a quiet time, in seconds of the rate. */
const BURST_SECONDS = 0.25;
/** Who waits tells so this often. */
const WAIT_MS = 250;
/** Pieces that are let through one by one: small enough for others to have their turn. */
const PIECE_SECONDS = 0.125;
const LEAST_PIECE_BYTES = 1_024;

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

  /** How much should be taken at a time, so that many can share a low rate; no bound without a limit. */
  get pieceBytes(): number {
    const rate = this.#rate();
    return rate > 0 ? Math.max(LEAST_PIECE_BYTES, Math.floor(rate * PIECE_SECONDS)) : Infinity;
  }

  /** Waits until so many bytes may pass. Those who come first go first. @param onWait Told while it waits. */
  async take(bytes: number, signal?: AbortSignal, onWait?: () => void): Promise<void> {
    const rate = this.#rate();
    if (rate <= 0) return;
    const now = this.#clock.monotonic();
    const start = Math.max(this.#freeAt, now - BURST_SECONDS * 1_000);
    this.#freeAt = start + bytes * 1_000 / rate;
    for (let wait = this.#freeAt - now; wait > 0; wait -= WAIT_MS) {
      await pause(Math.min(WAIT_MS, wait), signal);
      signal?.throwIfAborted();
      onWait?.();
    }
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

  /** How much should be taken at a time; no bound without limits. */
  pieceBytes(peerId: string): number {
    return Math.min(this.#of(peerId).pieceBytes, this.#total.pieceBytes);
  }

  /** Waits until so many bytes may pass from or to a peer. @param onWait Told while it waits. */
  async take(
    peerId: string,
    bytes: number,
    signal?: AbortSignal,
    onWait?: () => void,
  ): Promise<void> {
    await this.#of(peerId).take(bytes, signal, onWait);
    await this.#total.take(bytes, signal, onWait);
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
