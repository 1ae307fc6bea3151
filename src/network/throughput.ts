/** Bytes of one stretch of time. */
export interface ThroughputPoint {
  /** Its beginning, milliseconds since 1970. */
  readonly timeMs: number;
  readonly inBytes: number;
  readonly outBytes: number;
}

/** Points of one length, oldest first. */
export interface ThroughputSeries {
  readonly stepMs: number;
  readonly points: readonly ThroughputPoint[];
}

/** How far back a series goes, and how fine it is: step and number of points. */
export const THROUGHPUT_RANGES = {
  "5m": { stepMs: 1_000, count: 300 },
  "1h": { stepMs: 10_000, count: 360 },
  "24h": { stepMs: 300_000, count: 288 },
} as const;

/** How far back one looks. */
export type ThroughputRange = keyof typeof THROUGHPUT_RANGES;

/** How much went in and out of the swarm, by the second, finer the younger; about 30 KiB in all. */
export class Throughput {
  readonly #rings = Object.fromEntries(
    Object.entries(THROUGHPUT_RANGES).map(([range, { stepMs, count }]) => [
      range,
      new Ring(stepMs, count),
    ]),
  ) as Record<ThroughputRange, Ring>;

  /** Adds what went through in the moment before `now`. */
  add(now: number, inBytes: number, outBytes: number): void {
    for (const ring of Object.values(this.#rings)) ring.add(now, inBytes, outBytes);
  }

  /** What went through until now; steps in which nobody counted are missing. */
  series(range: ThroughputRange, now: number): ThroughputSeries {
    const ring = this.#rings[range];
    return { stepMs: ring.stepMs, points: ring.points(now) };
  }
}

class Ring {
  readonly stepMs: number;
  readonly #steps: Float64Array;
  readonly #in: Float64Array;
  readonly #out: Float64Array;

  constructor(stepMs: number, count: number) {
    this.stepMs = stepMs;
    this.#steps = new Float64Array(count).fill(NaN);
    this.#in = new Float64Array(count);
    this.#out = new Float64Array(count);
  }

  add(now: number, inBytes: number, outBytes: number): void {
    const step = Math.floor(now / this.stepMs);
    const at = this.#place(step);
    if (this.#steps[at] !== step) {
      this.#steps[at] = step;
      this.#in[at] = 0;
      this.#out[at] = 0;
    }
    this.#in[at] = (this.#in[at] ?? 0) + inBytes;
    this.#out[at] = (this.#out[at] ?? 0) + outBytes;
  }

  points(now: number): ThroughputPoint[] {
    const last = Math.floor(now / this.stepMs);
    const found: ThroughputPoint[] = [];
    for (let step = last - this.#steps.length + 1; step <= last; step++) {
      const at = this.#place(step);
      if (this.#steps[at] !== step) continue;
      found.push({
        timeMs: step * this.stepMs,
        inBytes: this.#in[at] ?? 0,
        outBytes: this.#out[at] ?? 0,
      });
    }
    return found;
  }

  #place(step: number): number {
    return ((step % this.#steps.length) + this.#steps.length) % this.#steps.length;
  }
}
