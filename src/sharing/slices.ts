import { setImmediate } from "node:timers";

/** Longest a piece of long work holds the event loop, in milliseconds. */
export const SLICE_MS = 4;

/** Lets everything else that waits have its turn. */
export function turn(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setImmediate(resolve);
  return promise;
}

/**
 * Runs work that yields between its small steps, a few milliseconds at a time.
 *
 * @throws The signal's reason, or what a step throws.
 */
export async function inSlices<T>(
  work: Generator<void, T>,
  signal?: AbortSignal,
  sliceMs: number = SLICE_MS,
): Promise<T> {
  for (;;) {
    const until = performance.now() + sliceMs;
    do {
      const { done, value } = work.next();
      if (done) return value;
    } while (performance.now() < until);
    await turn();
    signal?.throwIfAborted();
  }
}
