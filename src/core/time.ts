import { DaemonError } from "./errors.ts";

/**
 * Waits for a promise at most so long.
 *
 * @param what A verb phrase for the error: "Cannot <what> within …".
 * @throws {DaemonError} `deadline_exceeded`; the promise itself goes on, its late outcome is dropped.
 */
export async function withDeadline<T>(
  promise: Promise<T>,
  timeoutMs: number,
  what: string,
): Promise<T> {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new DaemonError("deadline_exceeded", `Cannot ${what} within ${timeoutMs} ms`)),
    timeoutMs,
  );
  promise.catch(() => undefined); // a late failure must not count as unhandled
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits so long, or less if the signal aborts; never rejects. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal?.aborted) return Promise.resolve();
  const finish = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", finish);
    resolve();
  };
  const timer = setTimeout(finish, ms);
  signal?.addEventListener("abort", finish, { once: true });
  return promise;
}

/** What {@link backoffMs} is shaped by. */
export interface BackoffInit {
  /** Wait after the first failure, in milliseconds. */
  firstMs: number;
  /** Longest wait, in milliseconds, before jitter. */
  maxMs: number;
  /** Largest share added or taken at random, 0 to 1. */
  jitter: number;
}

/**
 * The wait after so many failures in a row: doubled each time up to a limit, spread by jitter.
 *
 * @param failures 1 for the first failure.
 * @param unit A random number from 0 (inclusive) to 1.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const init = { firstMs: 1_000, maxMs: 10_000, jitter: 0.2 };
 * assert.deepEqual([1, 2, 3, 4, 5].map((n) => backoffMs(n, 0.5, init)), [1_000, 2_000, 4_000, 8_000, 10_000]);
 * ```
 */
export function backoffMs(failures: number, unit: number, init: BackoffInit): number {
  const plain = Math.min(init.maxMs, init.firstMs * 2 ** Math.max(0, failures - 1));
  return Math.round(plain * (1 + init.jitter * (2 * unit - 1)));
}
