import { useEffect } from "preact/hooks";
import { textOf } from "../wire/calls.ts";
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
  /** Between two questions while somebody looks and answers differ. */
  intervalMs: number;
  /** Each answer like the one before doubles the wait, up to this. @default {30_000} */
  restMs?: number;
  /** What of an answer counts when it is compared with the one before. @default {all of it} */
  essence?(data: T): unknown;
  /** Whether questions make sense now: the page is seen and the daemon answers. */
  isAwake(): boolean;
}

const REST_MS = 30_000;
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
  #waitMs: number;
  #askedAt = -Infinity;

  constructor(init: ResourceInit<T>) {
    this.#init = init;
    this.#waitMs = init.intervalMs;
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
    this.#waitMs = this.#init.intervalMs;
    if (this.#running) this.#isStale = true;
    else this.#schedule(Math.max(0, this.#askedAt + MIN_GAP_MS - performance.now()));
  }

  /** Asks now, and draws whatever comes: it may be another daemon that answers. */
  renew(): void {
    this.#lastText = "";
    this.refresh();
  }

  #schedule(delay?: number): void {
    clearTimeout(this.#timer);
    if (this.#watchers === 0) return;
    this.#timer = setTimeout(() => void this.#ask(), delay ?? this.#waitMs);
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
    const { intervalMs, restMs = REST_MS, essence = (all: T) => all } = this.#init;
    const text = textOf(essence(data));
    const isSame = text === this.#lastText;
    this.#waitMs = isSame ? Math.max(intervalMs, Math.min(restMs, 2 * this.#waitMs)) : intervalMs;
    if (isSame && !this.store.value.problem) return;
    this.#lastText = text;
    this.store.set({ data, problem: "" });
  }
}

/** The answer of a resource, kept fresh as long as the view is there. */
export function useResource<T>(resource: Resource<T>): Loaded<T> {
  useEffect(() => resource.watch(), [resource]);
  return useStore(resource.store);
}
