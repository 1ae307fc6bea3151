import { useEffect, useState } from "preact/hooks";

/** One value that views follow. */
export class Store<T> {
  #value: T;
  readonly #listeners = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  /** Replaces it and tells who follows; the same value tells nobody. */
  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener();
  }

  /** @returns Stops following. */
  follow(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** The value of a store; the view is drawn again when it changes. */
export function useStore<T>(store: Pick<Store<T>, "value" | "follow">): T {
  const [, draw] = useState({});
  useEffect(() => store.follow(() => draw({})), [store]);
  return store.value;
}
