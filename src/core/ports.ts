/**
 * The seams between us and the machine. Production code gets `system*`; fault tests get
 * versions that fail, lie or stand still.
 */

/** A timer that can be cancelled. */
export interface Timer {
  /** Cancels; safe to call twice and after it fired. */
  cancel(): void;
}

/** Time as seen by our code. */
export interface Clock {
  /** Milliseconds since 1970, UTC. May jump. */
  now(): number;
  /** Milliseconds that never go backwards; only differences mean something. */
  monotonic(): number;
  /** Calls once after so many milliseconds. */
  after(ms: number, callback: () => void): Timer;
  /** Calls again and again; the first time after one interval. */
  every(ms: number, callback: () => void): Timer;
}

/** Chance as seen by our code. */
export interface Random {
  /** A number from 0 (inclusive) to 1. */
  unit(): number;
  /** So many unpredictable bytes. */
  bytes(count: number): Uint8Array;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return { cancel: () => clearTimeout(timer) };
  },
  every(ms, callback) {
    const timer = setInterval(callback, ms);
    return { cancel: () => clearInterval(timer) };
  },
};

/** The machine's randomness. */
export const systemRandom: Random = {
  unit: () => Math.random(),
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
};
