/** How long an item is replayed to late subscribers, contract 2.5. */
export const REPLAY_MS = 5_000;
/** Most items that are replayed, contract 2.5. */
export const REPLAY_ITEMS = 100;

/** The newest items of the last seconds, for subscribers that come a moment too late. */
export class Recent<T> {
  readonly #monotonic: () => number;
  readonly #items: { at: number; item: T }[] = [];

  /** @param monotonic Milliseconds that never go backwards. */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** Remembers one more. */
  add(item: T): void {
    this.#items.push({ at: this.#monotonic(), item });
    if (this.#items.length > REPLAY_ITEMS) this.#items.shift();
  }

  /** What is young enough, oldest first. */
  list(): readonly { readonly at: number; readonly item: T }[] {
    const oldest = this.#monotonic() - REPLAY_MS;
    return this.#items.filter(({ at }) => at >= oldest);
  }
}
