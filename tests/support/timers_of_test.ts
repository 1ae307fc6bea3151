/** Timers that a test and what it used began. */
import { waitFor } from "./wait.ts";

/** A timer that is due sooner than this is waited for. */
const SHORT_MS = 50;

/** Knows which timers are pending that began since it was made, and ends them when disposed of. */
export class TimersOfTest implements Disposable {
  readonly #pending = new Map<unknown, number>();
  readonly #setTimeout = globalThis.setTimeout;
  readonly #clearTimeout = globalThis.clearTimeout;

  constructor() {
    globalThis.setTimeout = new Proxy(this.#setTimeout, {
      apply: (target, self, [callback, ms, ...rest]) => {
        const fire = (...args: unknown[]) => {
          this.#pending.delete(timer);
          callback(...args);
        };
        const timer: unknown = Reflect.apply(target, self, [fire, ms, ...rest]);
        this.#pending.set(timer, Number(ms ?? 0));
        return timer;
      },
    });
    globalThis.clearTimeout = new Proxy(this.#clearTimeout, {
      apply: (target, self, [timer]) => {
        this.#pending.delete(timer);
        return Reflect.apply(target, self, [timer]);
      },
    });
  }

  /** Resolves when none is pending that was to fire soon: what a stop left under way has ended. */
  async shortOnesFired(): Promise<void> {
    await waitFor("the end of short timers", () => {
      return ![...this.#pending.values()].some((ms) => ms < SHORT_MS);
    });
  }

  [Symbol.dispose](): void {
    globalThis.setTimeout = this.#setTimeout;
    globalThis.clearTimeout = this.#clearTimeout;
    for (const timer of this.#pending.keys()) this.#clearTimeout(timer as number);
  }
}
