import process from "node:process";
import { messageOf, systemCode } from "../core/mod.ts";

/** How results are printed. */
export type OutputFormat = "human" | "json";

/** Where a command writes; tests give their own. */
export interface Output {
  /** One line, or several, of results. */
  out(text: string): void;
  /** One line of error. */
  error(text: string): void;
}

/** Standard output and standard error. */
export const standardOutput: Output = {
  out: (text) => void process.stdout.write(`${text}\n`),
  error: (text) => {
    try {
      process.stderr.write(`${text}\n`);
    } catch {
      // A full disk behind standard error must not change how the process ends.
    }
  },
};

/** Resolves once everything on standard output is handed on, so that the process may end. */
export function flushOutput(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  process.stdout.write("", () => resolve());
  return promise;
}

let endsWithReader = false;

/**
 * Ends the process quietly when whoever reads standard output has read enough, as `| head -1` does.
 * For commands alone: a daemon goes on without its reader.
 */
export function endWithReader(): void {
  if (endsWithReader) return;
  endsWithReader = true;
  process.stdout.on("error", (failure) => {
    if (systemCode(failure) === "EPIPE") process.exit(0);
    throw failure;
  });
}

/** One line that says what went wrong, for people or as JSON. */
export function describeFailure(failure: unknown, format: OutputFormat): string {
  const [line = ""] = messageOf(failure).split("\n");
  return format === "json" ? JSON.stringify({ error: line }) : `almenad: ${line}`;
}
