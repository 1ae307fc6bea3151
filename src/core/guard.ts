import { logger } from "./log.ts";

const log = logger("core");

/**
 * Runs work that nobody awaits: an accept, a stream, a timer, a plugin call.
 *
 * A throw in a node:net callback reaches no handler on this runtime and a rejection nobody
 * catches ends the process, so every such entry point goes through here.
 *
 * @param what Names the work in the log, as a noun phrase.
 * @returns Nothing, and never throws: a failure is logged and the work counts as ended.
 */
export function guard(what: string, work: () => unknown): void {
  try {
    const result = work();
    if (result instanceof Promise) {
      result.catch((error) => log.warn("Background work failed", { what, error }));
    }
  } catch (error) {
    log.warn("Background work failed", { what, error });
  }
}
