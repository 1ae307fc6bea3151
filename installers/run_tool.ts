import { spawn } from "node:child_process";
import process from "node:process";
import { DaemonError, messageOf, systemCode } from "../src/core/mod.ts";

/** A packaging tool, and how it is run. */
export interface ToolRun {
  /** Program and arguments. */
  argv: readonly string[];
  /** How to get the tool, for the error when it is missing. */
  remedy: string;
  env?: Readonly<Record<string, string>>;
  cwd?: string;
}

/**
 * Runs a packaging tool to its end.
 *
 * @returns What it printed on standard output.
 * @throws {DaemonError} `unavailable` with the remedy when it is missing, `failed_precondition` with
 * its words when it fails.
 */
export async function runTool(run: ToolRun): Promise<string> {
  const [program = "", ...args] = run.argv;
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...run.env },
    ...(run.cwd === undefined ? {} : { cwd: run.cwd }),
  });
  let printed = "";
  let complaint = "";
  child.stdout.on("data", (chunk) => (printed += chunk));
  child.stderr.on("data", (chunk) => (complaint += chunk));
  child.once("error", reject);
  child.once("close", resolve);
  const code = await promise.catch((cause) => {
    const why = systemCode(cause) === "ENOENT" ? `it is missing; ${run.remedy}` : messageOf(cause);
    throw new DaemonError("unavailable", `Cannot run ${program}: ${why}`, { cause });
  });
  if (code === 0) return printed;
  const words = complaint.trim() || printed.trim();
  throw new DaemonError("failed_precondition", `Cannot finish ${program} (code ${code}): ${words}`);
}
