/** Longest span over which a rate is averaged, in milliseconds. */
const WINDOW_MS = 3_000;
/** Shortest span that says anything. */
const LEAST_MS = 100;

/** How fast a peer sends, measured only while it was asked for something. */
export class PeerSpeed {
  #rate = 0;
  #since: number | undefined;
  #bytes = 0;

  /** Bytes a second; 0 before anything was measured. */
  get rate(): number {
    return this.#rate;
  }

  /** It is asked for something after a pause. */
  begin(now: number): void {
    this.#since = now;
    this.#bytes = 0;
  }

  /** It sent bytes. */
  received(bytes: number, now: number): void {
    this.#since ??= now;
    this.#bytes += bytes;
    if (now - this.#since >= WINDOW_MS / 4) this.#measure(now);
  }

  /** It has sent all it was asked for. */
  end(now: number): void {
    if (this.#bytes > 0) this.#measure(now);
    this.#since = undefined;
  }

  #measure(now: number): void {
    const ms = Math.max(LEAST_MS, now - (this.#since ?? now));
    const rate = this.#bytes * 1_000 / ms;
    const weight = this.#rate === 0 ? 1 : Math.min(1, Math.max(0.2, ms / WINDOW_MS));
    this.#rate += weight * (rate - this.#rate);
    this.#since = now;
    this.#bytes = 0;
  }
}
