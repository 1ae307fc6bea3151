import { logger } from "../../core/mod.ts";

const log = logger("plugins");

/** What the handshake does beside its calls; its end waits for all of it. */
export class BackgroundWork {
  readonly #running = new Set<Promise<unknown>>();
  readonly #stop = new AbortController();

  /** Aborts when the work is to end. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Runs work nobody awaits; a failure is logged. */
  run(what: string, work: () => Promise<void>): void {
    if (this.signal.aborted) return;
    const run = work().catch((error: unknown) =>
      log.debug("Handshake work failed", { what, error })
    ).finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  /** Ends when everything has ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#running);
  }
}
