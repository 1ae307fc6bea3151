import { useEffect } from "preact/hooks";
import { Store, useStore } from "./store.ts";

/** What is known of something that is asked again and again. */
export interface Loaded<T> {
  /** The last answer; undefined before the first. */
  readonly data: T | undefined;
  /** Why the last question was not answered; empty when it was. */
  readonly problem: string;
}

/** How a {@link Resource} behaves. */
export interface ResourceInit<T> {
  load(signal: AbortSignal): Promise<T>;
  /** Between two questions while somebody looks. */
  intervalMs: number;
  /** Between two questions after answers that did not differ. @default {intervalMs} */
  restMs?: number;
  /** Whether questions make sense now: the page is seen and the daemon answers. */
  isAwake(): boolean;
}

/** Least time between two questions that events ask for. */
const MIN_GAP_MS = 100;

/** An answer of the daemon that is kept fresh while a view shows it. */
export class Resource<T> {
  readonly store = new Store<Loaded<T>>({ data: undefined, problem: "" });
  readonly #init: ResourceInit<T>;
  #watchers = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: AbortController | undefined;
  #isStale = false;
  #lastText = "";
  #isResting = false;
  #askedAt = -Infinity;

  constructor(init: ResourceInit<T>) {
    this.#init = init;
  }

  /** Keeps it fresh until the returned function is called. */
  watch(): () => void {
    this.#watchers++;
    if (this.#watchers === 1) this.refresh();
    return () => {
      this.#watchers--;
      if (this.#watchers === 0) this.#schedule();
    };
  }

  /** Something happened: asks now, or right after the question under way. */
  refresh(): void {
    if (this.#watchers === 0) return;
    this.#isResting = false;
    if (this.#running) this.#isStale = true;
    else this.#schedule(Math.max(0, this.#askedAt + MIN_GAP_MS - performance.now()));
  }

  /** Forgets the answer: it is another daemon's. */
  forget(): void {
    this.#lastText = "";
    this.#running?.abort();
    this.store.set({ data: undefined, problem: "" });
  }

  #schedule(delay?: number): void {
    clearTimeout(this.#timer);
    if (this.#watchers === 0) return;
    const { intervalMs, restMs = intervalMs } = this.#init;
    const wait = delay ?? (this.#isResting ? restMs : intervalMs);
    this.#timer = setTimeout(() => void this.#ask(), wait);
  }

  async #ask(): Promise<void> {
    if (!this.#init.isAwake()) return this.#schedule();
    const own = this.#running = new AbortController();
    this.#isStale = false;
    this.#askedAt = performance.now();
    try {
      this.#take(await this.#init.load(own.signal));
    } catch (failure) {
      if (!own.signal.aborted) {
        const problem = failure instanceof Error ? failure.message : String(failure);
        this.store.set({ data: this.store.value.data, problem });
      }
    } finally {
      this.#running = undefined;
      this.#schedule(this.#isStale ? MIN_GAP_MS : undefined);
    }
  }

  // An answer like the last one draws nothing, and the next question may take its time.
  #take(data: T): void {
    const text = JSON.stringify(data);
    this.#isResting = text === this.#lastText;
    if (this.#isResting && !this.store.value.problem) return;
    this.#lastText = text;
    this.store.set({ data, problem: "" });
  }
}

/** The answer of a resource, kept fresh as long as the view is there. */
export function useResource<T>(resource: Resource<T>): Loaded<T> {
  useEffect(() => resource.watch(), [resource]);
  return useStore(resource.store);
}
