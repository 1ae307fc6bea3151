import type { CliActions, GlobalFlags } from "./cli_actions.ts";
import { exitCodeOf } from "./exit_codes.ts";
import { describeFailure, type Output } from "./output.ts";

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

const TEXTS = {
  "--data-dir": "dataDir",
  "--instance": "instance",
  "--grpc-addr": "grpcAddr",
  "--rest-addr": "restAddr",
  "--p2p-listen": "p2pListen",
  "--p2pd-listen": "p2pdListen",
  "--admin-token-file": "adminTokenFile",
} as const;
const SWITCHES = {
  "--dev": "dev",
  "--allow-remote": "allowRemote",
  "--private": "private",
  "--trust-auto-approve": "trustAutoApprove",
} as const;

/**
 * Runs what the command line asks for.
 *
 * @param args Without the executable's name.
 * @returns The exit code; a failure is printed as one line on standard error.
 */
export async function runCli(
  args: readonly string[],
  actions: CliActions,
  output: Output,
): Promise<number> {
  // Flags of another syntax, which the parser of commands would take for its own.
  if (args[0] === "p2pd") return await actions.p2pd(args.slice(1));
  const flags = flagsAlone(args[0] === "run" ? args.slice(1) : args);
  if (!flags) return await (await import("./program.ts")).runProgram(args, actions, output);
  try {
    return await actions.run(flags);
  } catch (failure) {
    output.error(describeFailure(failure, flags.format));
    return exitCodeOf(failure);
  }
}

/**
 * Flags alone run the daemon, which then starts without the parser of commands and some fifty of
 * them. That parser also says what is wrong with flags, so undefined is given for everything odd.
 */
function flagsAlone(args: readonly string[]): GlobalFlags | undefined {
  const flags: Writable<GlobalFlags> = { format: "human", dev: false };
  for (let at = 0; at < args.length; at++) {
    const [, name = "", inline] = /^(--[a-z0-9-]+)(?:=(.*))?$/s.exec(args[at] ?? "") ?? [];
    if (hasKey(SWITCHES, name) && inline === undefined) {
      flags[SWITCHES[name]] = true;
      continue;
    }
    const value = inline ?? args[++at];
    if (value === undefined || value.startsWith("-")) return undefined;
    if (name === "--format" && (value === "json" || value === "human")) flags.format = value;
    else if (hasKey(TEXTS, name)) flags[TEXTS[name]] = value;
    else return undefined;
  }
  return flags;
}

function hasKey<T extends object>(table: T, key: string): key is keyof T & string {
  return Object.hasOwn(table, key);
}
