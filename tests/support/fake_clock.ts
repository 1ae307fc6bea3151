/** A clock that stands still until a test moves it. */
import type { Clock, Timer } from "../../src/core/mod.ts";

interface Alarm {
  at: number;
  readonly everyMs: number | undefined;
  readonly callback: () => void;
}

/** Time as a test wants it. */
export class FakeClock implements Clock {
  readonly #alarms = new Set<Alarm>();
  #elapsed = 0;
  #epoch: number;

  /** @param epoch Milliseconds since 1970 at the beginning. */
  constructor(epoch = Date.UTC(2026, 0, 1)) {
    this.#epoch = epoch;
  }

  now(): number {
    return this.#epoch + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  after(ms: number, callback: () => void): Timer {
    return this.#set({ at: this.#elapsed + ms, everyMs: undefined, callback });
  }

  every(ms: number, callback: () => void): Timer {
    return this.#set({ at: this.#elapsed + ms, everyMs: ms, callback });
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#alarms.size;
  }

  /** Sets the date without moving the monotonic clock, as an operator does. */
  jumpTo(epoch: number): void {
    this.#epoch = epoch - this.#elapsed;
  }

  /** Lets time pass: every timer due fires, in order, each followed by what it set in motion. */
  async advance(ms: number): Promise<void> {
    const until = this.#elapsed + ms;
    for (let next = this.#nextUntil(until); next; next = this.#nextUntil(until)) {
      this.#elapsed = Math.max(this.#elapsed, next.at);
      if (next.everyMs === undefined) this.#alarms.delete(next);
      else next.at += next.everyMs;
      next.callback();
      await settle();
    }
    this.#elapsed = until;
    await settle();
  }

  #set(alarm: Alarm): Timer {
    this.#alarms.add(alarm);
    return { cancel: () => void this.#alarms.delete(alarm) };
  }

  #nextUntil(until: number): Alarm | undefined {
    let next: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.at <= until && (!next || alarm.at < next.at)) next = alarm;
    }
    return next;
  }
}

/** Lets promises that are ready run their course. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
