/** Where foreign programs for tests and benchmarks are kept, and how one that is missing is reported. */
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Need } from "./needs.ts";

/** A program that is no part of this project. */
export interface ForeignProgram {
  /** As it appears in messages. */
  readonly name: string;
  /** Where it lies once it was fetched or built. */
  readonly path: string;
  /** Fetches or builds it; gives the reason when that cannot be done here. */
  prepare(): Promise<string | undefined>;
}

/** The folder that outlives test runs: downloads and builds of foreign programs. */
export function cacheFolder(): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "almenad");
}

/** Whether a program is in the cache. */
export function isPrepared({ path }: ForeignProgram): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/**
 * What a test needs that speaks with this program. Tests never fetch or build: they may run without a network, and
 * nobody expects minutes of compiling from them. Where it is missing the test is skipped, or fails with
 * `ALMENAD_REQUIRE_PEERS=1` (every program) or such as `ALMENAD_REQUIRE_GO_P2PD=1` (that one).
 */
export function peerNeed(program: ForeignProgram): Need {
  const areAllRequired = process.env["ALMENAD_REQUIRE_PEERS"] === "1";
  return { name: areAllRequired ? "peers" : program.name, isMet: isPrepared(program) };
}

/** What a finished command said. */
export interface CommandOutcome {
  readonly ok: boolean;
  readonly stdout: string;
  /** The last lines of stderr, for messages. */
  readonly reason: string;
}

/** Runs a command to its end; a command that is not installed is an outcome, not an exception. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<CommandOutcome> {
  try {
    const output = await new Deno.Command(command, { args: [...args], ...options }).output();
    const decoder = new TextDecoder();
    return {
      ok: output.success,
      stdout: decoder.decode(output.stdout),
      reason: decoder.decode(output.stderr).trim().split("\n").slice(-5).join("\n"),
    };
  } catch (failure) {
    const reason = failure instanceof Deno.errors.NotFound
      ? `${command} is not installed`
      : String(failure);
    return { ok: false, stdout: "", reason };
  }
}
