/**
 * Waits for what begins at the same time. When one cannot begin, the others are disposed of first.
 *
 * ```ts
 * const [alice, bob] = await started(startDaemon(), startDaemon());
 * ```
 */
export async function started<T extends readonly AsyncDisposable[]>(
  ...beginning: { readonly [K in keyof T]: Promise<T[K]> }
): Promise<T> {
  const results = await Promise.allSettled<AsyncDisposable>(beginning);
  const failure = results.find((result) => result.status === "rejected");
  if (!failure) {
    return results.map((result) =>
      (result as PromiseFulfilledResult<AsyncDisposable>).value
    ) as unknown as T;
  }
  for (const result of results) {
    if (result.status === "fulfilled") await result.value[Symbol.asyncDispose]();
  }
  throw failure.reason;
}
