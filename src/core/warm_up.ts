import { guard } from "./guard.ts";
import type { Clock, Timer } from "./ports.ts";
import type { Service } from "./service.ts";

/** Loading begins so long after the daemon is ready, each part so long after the one before. */
const PAUSE_MS = 200;

/**
 * Loads behind the open doors what the first caller needs, so that few ever wait for it. Who
 * comes earlier has it loaded at once.
 */
export class WarmUp implements Service {
  readonly name = "warm-up";
  readonly #clock: Clock;
  readonly #parts: readonly (() => Promise<unknown>)[];
  readonly #timers: Timer[] = [];

  /** @param parts Each loads one part, and does nothing if it is loaded. */
  constructor({ clock }: { clock: Clock }, parts: readonly (() => Promise<unknown>)[]) {
    this.#clock = clock;
    this.#parts = parts;
  }

  start(): Promise<void> {
    this.#parts.forEach((load, at) => {
      const later = this.#clock.after(PAUSE_MS * (at + 1), () => guard("load a part", load));
      this.#timers.push(later);
    });
    return Promise.resolve();
  }

  stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) timer.cancel();
    return Promise.resolve();
  }
}
