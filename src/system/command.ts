import { DaemonError, messageOf } from "../core/mod.ts";
import type { CommandAnswer } from "./service_plan.ts";

/** How a program is run. */
export interface CommandOptions {
  /** Its output goes to ours instead of the answer. @default {false} */
  showOutput?: boolean;
  /** Longest run, in milliseconds; 0 for no limit. @default {90_000} */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** Runs one program of the system and waits for its end. */
export type CommandRunner = (
  argv: readonly string[],
  options?: CommandOptions,
) => Promise<CommandAnswer>;

/** A service may take its whole start timeout of 60 s before `systemctl` answers. */
const COMMAND_TIMEOUT_MS = 90_000;

/**
 * Runs programs of this machine.
 *
 * @throws {DaemonError} `unavailable` when the program is not there or may not be run,
 * `deadline_exceeded` when it does not end, `cancelled`.
 */
export async function runCommand(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<CommandAnswer> {
  const timeoutMs = options.timeoutMs ?? COMMAND_TIMEOUT_MS;
  const deadline = new AbortController();
  const timer = timeoutMs > 0 ? setTimeout(() => deadline.abort(), timeoutMs) : undefined;
  const signals = [deadline.signal, ...(options.signal ? [options.signal] : [])];
  try {
    const answer = await execute(argv, options.showOutput ?? false, AbortSignal.any(signals));
    if (deadline.signal.aborted) {
      const what = `Cannot run "${argv.join(" ")}" within ${timeoutMs} ms`;
      throw new DaemonError("deadline_exceeded", what);
    }
    options.signal?.throwIfAborted();
    return answer;
  } finally {
    clearTimeout(timer);
  }
}

async function execute(
  argv: readonly string[],
  showOutput: boolean,
  signal: AbortSignal,
): Promise<CommandAnswer> {
  const [program = "", ...args] = argv;
  const output = showOutput ? "inherit" : "piped";
  try {
    const child = new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: output,
      stderr: output,
      signal,
    }).spawn();
    if (showOutput) return { code: (await child.status).code, stdout: "", stderr: "" };
    const { code, stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  } catch (cause) {
    throw new DaemonError("unavailable", `Cannot run "${program}": ${messageOf(cause)}`, { cause });
  }
}
