import { type Clock, type LogLevel, Recent } from "../core/mod.ts";

/** One log line as a reader elsewhere sees it, contract 2.5. */
export interface LogEntry {
  /** RFC 3339, UTC. */
  readonly timestamp: string;
  readonly level: Exclude<LogLevel, "off">;
  /** Folder of `src/` that wrote it, such as `network`. */
  readonly target: string;
  /** The message and its properties, secrets left out, on one line. */
  readonly message: string;
  readonly job_id?: string;
  readonly library_id?: string;
}

/** Hands log lines to whoever reads along; never waits for a reader. */
export class LogHub {
  readonly #listeners = new Set<(entry: LogEntry) => void>();
  readonly #recent: Recent<LogEntry>;

  constructor(components: { clock: Clock }) {
    this.#recent = new Recent(() => components.clock.monotonic());
  }

  /** Takes one line that the daemon's log filter let through. */
  add(entry: LogEntry): void {
    this.#recent.add(entry);
    for (const listener of this.#listeners) listener(entry);
  }

  /**
   * Calls back for each line while it is written; the listener must neither wait, throw nor log.
   *
   * @returns Stops it; safe to call twice.
   */
  listen(listener: (entry: LogEntry) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The lines of the last moments, oldest first. */
  recent(): readonly { readonly at: number; readonly item: LogEntry }[] {
    return this.#recent.list();
  }
}
