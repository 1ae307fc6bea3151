import { DaemonError, pause } from "../../src/core/mod.ts";

/** Asks every so often until there is an answer. @throws {DaemonError} `deadline_exceeded`. */
export async function waitFor<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 10_000,
  everyMs = 20,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  while (true) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) {
      throw new DaemonError("deadline_exceeded", `No ${what} within ${timeoutMs} ms`);
    }
    await pause(everyMs);
  }
}
