/** Random input that can be made again: every hostile run prints its seed, `ALMENAD_SEED=` repeats it. */
import { randomInt } from "node:crypto";
import process from "node:process";

/** The seed of this run: `ALMENAD_SEED`, or a new one; printed either way. */
export function runSeed(name: string): number {
  const wanted = Number(process.env["ALMENAD_SEED"]);
  const seed = Number.isInteger(wanted) && wanted > 0 ? wanted : randomInt(1, 2 ** 31);
  Deno.stderr.writeSync(new TextEncoder().encode(`${name}: ALMENAD_SEED=${seed}\n`));
  return seed;
}

/** The promised size with `ALMENAD_FULL=1`, the small one otherwise. */
export function sized(small: number, full: number): number {
  return process.env["ALMENAD_FULL"] === "1" ? full : small;
}

/** A stream of pseudo-random values (mulberry32); the same seed gives the same values. */
export class Seeded {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 (inclusive) to 1. */
  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.unit() * (high - low + 1));
  }

  /** Random bytes. */
  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.int(0, 255));
  }

  /** One of them. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.int(0, choices.length - 1)] as T;
  }

  /** Printable text. */
  text(count: number): string {
    return String.fromCharCode(...Array.from({ length: count }, () => this.int(0x21, 0x7e)));
  }

  /** A copy with some bytes changed, cut off or repeated. */
  damaged(bytes: Uint8Array): Uint8Array {
    const copy = Uint8Array.from(bytes);
    for (let count = this.int(1, 4); count > 0 && copy.length > 0; count--) {
      copy[this.int(0, copy.length - 1)] = this.int(0, 255);
    }
    const cut = this.int(0, copy.length);
    return this.pick([copy, copy.subarray(0, cut), joined(copy, copy.subarray(cut))]);
  }
}

/** Byte arrays and texts, one after another. */
export function joined(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const encoder = new TextEncoder();
  const bytes = parts.map((part) => typeof part === "string" ? encoder.encode(part) : part);
  const whole = new Uint8Array(bytes.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of bytes) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
