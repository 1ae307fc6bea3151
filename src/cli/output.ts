import process from "node:process";
import { messageOf } from "../core/mod.ts";

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
  error: (text) => void process.stderr.write(`${text}\n`),
};

/** One line that says what went wrong, for people or as JSON. */
export function describeFailure(failure: unknown, format: OutputFormat): string {
  const [line = ""] = messageOf(failure).split("\n");
  return format === "json" ? JSON.stringify({ error: line }) : `almenad: ${line}`;
}
