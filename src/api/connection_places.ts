import { guard } from "../core/mod.ts";

/** What is known of a listener's connections. */
export interface ConnectionCounts {
  /** Open now. */
  readonly open: number;
  /** Refused because every place was taken by a connection with work under way. */
  readonly refused: number;
  /** Ended, though they had done nothing wrong yet, to make room for a newer one. */
  readonly evicted: number;
}

/** How many connections {@link ConnectionPlaces} allows, and for how long without a request. */
export interface PlacesInit {
  maxConnections: number;
  /** Longest wait for the first sign of life, in milliseconds. */
  silenceMs: number;
  /** Longest wait between requests, in milliseconds; without it somebody else decides. */
  idleMs?: number;
}

/** The place of one connection. */
export interface Place {
  /** The connection speaks the protocol. */
  spoke(): void;
  /** A request is under way. */
  began(): void;
  /** A request ended. */
  ended(): void;
  /** The connection closed. */
  closed(): void;
}

/**
 * Bounds the connections of a door. A full house is no reason to turn callers away: whoever has
 * been silent longest makes room, then whoever has been idle longest, so that nobody can lock
 * others out by taking every place and doing nothing with it.
 */
export class ConnectionPlaces {
  readonly #init: PlacesInit;
  // Sets keep the order of arrival, so the first one has waited longest.
  readonly #silent = new Set<Seat>();
  readonly #idle = new Set<Seat>();
  readonly #busy = new Set<Seat>();
  readonly #counts = { refused: 0, evicted: 0 };

  constructor(init: PlacesInit) {
    this.#init = init;
  }

  /** Counts at this moment. */
  counts(): ConnectionCounts {
    const open = this.#silent.size + this.#idle.size + this.#busy.size;
    return { open, ...this.#counts };
  }

  /**
   * Takes a place for a new connection.
   *
   * @param end Ends the connection; its `closed()` may follow.
   * @returns Undefined when there is none; the caller ends the connection.
   */
  take(end: () => void): Place | undefined {
    if (this.counts().open >= this.#init.maxConnections && !this.#makeRoom()) {
      this.#counts.refused++;
      return undefined;
    }
    const seat: Seat = { end, underWay: 0, timer: undefined };
    this.#sit(seat, this.#silent, this.#init.silenceMs);
    return this.#placeOf(seat);
  }

  #placeOf(seat: Seat): Place {
    return {
      spoke: () => this.#rest(seat),
      began: () => {
        seat.underWay++;
        this.#sit(seat, this.#busy, undefined);
      },
      ended: () => {
        seat.underWay--;
        this.#rest(seat);
      },
      closed: () => {
        this.#leave(seat);
        seat.end = () => undefined;
      },
    };
  }

  #rest(seat: Seat): void {
    if (seat.underWay <= 0) this.#sit(seat, this.#idle, this.#init.idleMs);
  }

  #sit(seat: Seat, group: Set<Seat>, timeoutMs: number | undefined): void {
    if (!this.#leave(seat) && group !== this.#silent) return; // closed or evicted already
    group.add(seat);
    if (timeoutMs !== undefined) seat.timer = setTimeout(() => this.#evict(seat), timeoutMs);
  }

  #leave(seat: Seat): boolean {
    clearTimeout(seat.timer);
    return this.#silent.delete(seat) || this.#idle.delete(seat) || this.#busy.delete(seat);
  }

  #makeRoom(): boolean {
    const [seat] = this.#silent.size > 0 ? this.#silent : this.#idle;
    if (!seat) return false;
    this.#counts.evicted++;
    this.#evict(seat);
    return true;
  }

  #evict(seat: Seat): void {
    this.#leave(seat);
    guard("end a connection without requests", seat.end);
  }
}

interface Seat {
  end: () => void;
  underWay: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}
