/** Whether strangers on the internet can dial this daemon, as far as is known. */
export type ReachabilityState = "public" | "private" | "unknown";

/** The latest answers decide, so that a changed network shows after a few. */
const COUNTED_ANSWERS = 3;

/** What other peers found out about our addresses. */
export class Reachability {
  readonly #answers: boolean[] = [];

  /** A peer tried to reach us. */
  answered(isReached: boolean): void {
    this.#answers.push(isReached);
    if (this.#answers.length > COUNTED_ANSWERS) this.#answers.shift();
  }

  /** What most of the last answers say; the newest where there are as many of both. */
  get state(): ReachabilityState {
    if (this.#answers.length === 0) return "unknown";
    const reached = this.#answers.filter(Boolean).length * 2;
    if (reached === this.#answers.length) return this.#answers.at(-1) ? "public" : "private";
    return reached > this.#answers.length ? "public" : "private";
  }
}
