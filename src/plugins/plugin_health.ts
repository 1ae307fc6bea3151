import { logger, messageOf } from "../core/mod.ts";

/** After so many failures a plugin counts as unhealthy, contract 4.1. */
export const UNHEALTHY_AFTER = 3;

/** Of a plugin that goes on failing, every so many failures are logged. */
const TELL_EVERY = 1_000;

/** How a plugin fares. */
export interface PluginHealthEntry {
  readonly failures: number;
  readonly isHealthy: boolean;
  /** What failed last; empty while nothing has. */
  readonly lastError: string;
}

const log = logger("plugins");

/** Counts what goes wrong inside plugins: their mistake, never the daemon's end. */
export class PluginHealth {
  readonly #publish: (topic: string, payload: Record<string, unknown>) => void;
  readonly #failures = new Map<string, { count: number; last: string }>();

  /** @param publish Tells the bus. */
  constructor(publish: (topic: string, payload: Record<string, unknown>) => void) {
    this.#publish = publish;
  }

  /** How a plugin fares. */
  of(plugin: string): PluginHealthEntry {
    const { count, last } = this.#failures.get(plugin) ?? { count: 0, last: "" };
    return { failures: count, isHealthy: count < UNHEALTHY_AFTER, lastError: last };
  }

  /** Notes a failure; the third one is told once. */
  failed(plugin: string, what: string, error: unknown): void {
    const entry = this.#failures.get(plugin) ?? { count: 0, last: "" };
    entry.count++;
    entry.last = `${what}: ${messageOf(error)}`.slice(0, 500);
    this.#failures.set(plugin, entry);
    // Whatever makes a plugin fail, a peer's message for one, must not fill the disk with lines.
    const isTold = entry.count <= UNHEALTHY_AFTER || entry.count % TELL_EVERY === 0;
    log[isTold ? "warn" : "debug"]("Plugin failed", {
      ...{ plugin, what, failures: entry.count, error },
    });
    this.#publish(`plugin.${plugin}.panic`, { plugin, what, error: entry.last });
    if (entry.count !== UNHEALTHY_AFTER) return;
    this.#publish(`plugin.${plugin}.unhealthy`, { plugin, failures: entry.count });
  }

  /** Runs a plugin's code; what it throws is noted and goes no further. */
  run<T>(plugin: string, what: string, work: () => T, otherwise: T): T {
    try {
      const result = work();
      if (result instanceof Promise) {
        return result.catch((error: unknown) => {
          this.failed(plugin, what, error);
          return otherwise;
        }) as T;
      }
      return result;
    } catch (error) {
      this.failed(plugin, what, error);
      return otherwise;
    }
  }
}
