/** What items of different size may weigh together. */
export interface QueueWeight<T> {
  /** Of all that wait. */
  readonly limit: number;
  /** Of one. */
  of(item: T): number;
}

/**
 * What stands between a publisher that never waits and one reader that may be slow: a queue that
 * loses its newest items when full, for that reader alone, and counts them.
 */
export class BoundedQueue<T> implements AsyncIterable<T> {
  /** Items lost because the queue was full. */
  dropped = 0;
  readonly #limit: number;
  readonly #onCancel: () => void;
  readonly #weight: QueueWeight<T> | undefined;
  #waitingWeight = 0;
  #queue: T[] = [];
  #wake: (() => void) | undefined;
  #ended = false;

  /**
   * @param limit Most items that wait.
   * @param onCancel Told once nobody reads any more; may be called more than once.
   * @param weight Where items may be large.
   */
  constructor(
    limit: number,
    onCancel?: () => void,
    weight?: QueueWeight<T>,
  ) {
    this.#limit = limit;
    this.#onCancel = onCancel ?? (() => undefined);
    this.#weight = weight;
  }

  /** Items that wait. */
  get length(): number {
    return this.#queue.length;
  }

  /** Adds an item, or counts it as lost. */
  push(item: T): void {
    if (this.#ended) return;
    const weight = this.#weight?.of(item) ?? 0;
    const isHeavy = this.#waitingWeight + weight > (this.#weight?.limit ?? 0);
    if (this.#queue.length >= this.#limit || (isHeavy && this.#queue.length > 0)) {
      this.dropped++;
      return;
    }
    this.#waitingWeight += weight;
    this.#queue.push(item);
    this.#wake?.();
  }

  /** Takes out everything that waits. */
  drain(): T[] {
    this.#waitingWeight = 0;
    return this.#queue.splice(0);
  }

  /** Takes nothing more; what waits is still read. */
  end(): void {
    this.#ended = true;
    this.#onCancel();
    this.#wake?.();
  }

  /** Ends the iterator and discards what waits; safe to call twice. */
  cancel(): void {
    this.#queue = [];
    this.#waitingWeight = 0;
    this.end();
  }

  /** Reads until the end; leaving the loop cancels. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    try {
      for (;;) {
        const [item] = this.#queue;
        if (item !== undefined) {
          this.#queue.shift();
          this.#waitingWeight -= this.#weight?.of(item) ?? 0;
          yield item;
        } else if (this.#ended) return;
        else await this.#arrival();
      }
    } finally {
      this.cancel();
    }
  }

  #arrival(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return promise;
  }
}
