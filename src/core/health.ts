/** One thing that can be well or not, with what to do about it. */
export interface HealthEntry {
  /** Name of the component, such as `grpc` or `identity`. */
  readonly component: string;
  readonly serving: boolean;
  /** What is wrong; empty when serving. */
  readonly problem: string;
  /** What a person can do about it; empty when serving. */
  readonly remedy: string;
}

/** The state of every component; readiness and health checks are read from here. */
export class Health {
  readonly #entries = new Map<string, HealthEntry>();
  readonly #listeners = new Set<() => void>();

  /** @param components Names that must serve before the daemon counts as ready. */
  constructor(components: readonly string[]) {
    for (const component of components) {
      this.#entries.set(component, {
        component,
        serving: false,
        problem: "not started yet",
        remedy: "wait for the daemon to start",
      });
    }
  }

  /** Marks a component as serving. */
  serving(component: string): void {
    this.#set({ component, serving: true, problem: "", remedy: "" });
  }

  /** Marks a component as not serving and says what to do. */
  failing(component: string, problem: string, remedy: string): void {
    this.#set({ component, serving: false, problem, remedy });
  }

  /** Everything, in the order it was declared. */
  list(): readonly HealthEntry[] {
    return [...this.#entries.values()];
  }

  /** Whether every component serves. */
  isReady(): boolean {
    return this.list().every((entry) => entry.serving);
  }

  /** Calls back after every change, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #set(entry: HealthEntry): void {
    this.#entries.set(entry.component, entry);
    for (const listener of this.#listeners) listener();
  }
}
