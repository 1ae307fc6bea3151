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

/** What runs the daemon, beside flags. */
const COMMANDS = ["", "run", "service-run", "start --foreground"];

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
  const line = daemonLine(args);
  if (!line) return await (await import("./program.ts")).runProgram(args, actions, output);
  try {
    return await (line.isService ? actions.runAsService(line.flags) : actions.run(line.flags));
  } catch (failure) {
    output.error(describeFailure(failure, line.flags.format));
    return exitCodeOf(failure);
  }
}

/**
 * A line that runs the daemon, which then starts without the parser of commands and some fifty of
 * them; the code kept from the first start has to be the daemon's too. The parser knows what is
 * wrong with a line, so undefined is given for everything odd.
 */
function daemonLine(
  args: readonly string[],
): { flags: GlobalFlags; isService: boolean } | undefined {
  const flags: Writable<GlobalFlags> = { format: "human", dev: false };
  const words: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const word = args[at];
    if (!word) return undefined;
    const [, name = word, inline] = /^(--[a-z0-9-]+)=(.*)$/s.exec(word) ?? [];
    if (inline === undefined && (!name.startsWith("-") || name === "--foreground")) {
      words.push(name);
    } else if (inline === undefined && hasKey(SWITCHES, name)) {
      flags[SWITCHES[name]] = true;
    } else {
      const value = inline ?? args[++at];
      if (value === undefined || value.startsWith("-") || !takeText(flags, name, value)) {
        return undefined;
      }
    }
  }
  const command = words.join(" ");
  return COMMANDS.includes(command) ? { flags, isService: command === "service-run" } : undefined;
}

function takeText(flags: Writable<GlobalFlags>, name: string, value: string): boolean {
  if (name === "--format" && (value === "json" || value === "human")) flags.format = value;
  else if (hasKey(TEXTS, name)) flags[TEXTS[name]] = value;
  else return false;
  return true;
}

function hasKey<T extends object>(table: T, key: string): key is keyof T & string {
  return Object.hasOwn(table, key);
}
