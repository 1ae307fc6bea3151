/** Connections of all forwards together; past that new ones are refused. */
export const MAX_CONNECTIONS = 1_024;
/** Connections of one forward. */
export const MAX_CONNECTIONS_EACH = 256;

/** A count that all forwards share. */
export interface SharedCount {
  open: number;
}

/** What happened at one forward since it began. */
export interface ForwardCounts {
  /** Open now. */
  readonly open: number;
  readonly total: number;
  /** Refused: the peer may not, or there was no place. */
  readonly refused: number;
  /** The other end could not be reached, or the connection broke. */
  readonly failed: number;
}

/** The connections of one forward: bounded, counted, and ended together. */
export class Connections {
  readonly #shared: SharedCount;
  readonly #open = new Set<() => void>();
  #total = 0;
  #refused = 0;
  #failed = 0;

  constructor(shared: SharedCount) {
    this.#shared = shared;
  }

  /** Counts at this moment. */
  get counts(): ForwardCounts {
    const [total, refused, failed] = [this.#total, this.#refused, this.#failed];
    return { open: this.#open.size, total, refused, failed };
  }

  /** Counts a connection that was turned away. */
  refuse(): void {
    this.#refused++;
  }

  /**
   * Runs a connection if there is a place for it.
   *
   * @param end Ends it at once.
   * @returns Whether there was.
   */
  async run(end: () => void, work: () => Promise<void>): Promise<boolean> {
    if (this.#open.size >= MAX_CONNECTIONS_EACH || this.#shared.open >= MAX_CONNECTIONS) {
      this.refuse();
      end();
      return false;
    }
    this.#open.add(end);
    this.#shared.open++;
    this.#total++;
    try {
      await work();
    } catch (failure) {
      this.#failed++;
      throw failure;
    } finally {
      this.#open.delete(end);
      this.#shared.open--;
    }
    return true;
  }

  /** Ends all of them. */
  endAll(): void {
    for (const end of this.#open) end();
  }
}
