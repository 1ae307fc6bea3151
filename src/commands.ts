/** What each command does: joins command line, client, configuration, system and daemon. */
import process from "node:process";
import {
  type CliActions,
  type ClientCall,
  type CommandContext,
  endWithReader,
  EXIT,
  type GlobalFlags,
  type MachineParts,
  type Output,
  type OutputFormat,
  paintFor,
  processTerminal,
  runClientCommand,
  startInBackground,
} from "./cli/mod.ts";
import { Client } from "./client/mod.ts";
import { DaemonError, type DataDirs } from "./core/mod.ts";
import { flagWords, ownProgram } from "./own_command.ts";
import type { CompiledCode } from "./system/compiled_code.ts";
import { versionInfo } from "./system/version.ts";

/** The actions behind the command line. Parts that a command does not need are never loaded. */
export function createActions(output: Output, compiledCode: CompiledCode): CliActions {
  const daemon = () => import("./daemon_commands.ts");
  const running = () => {
    compiledCode.keep();
    return import("./run_daemon.ts");
  };
  return {
    version: (format) => {
      endWithReader();
      return Promise.resolve(printVersion(output, format));
    },
    run: async (flags) => await (await running()).runDaemon(output, flags, {}),
    runAsService: async (flags) => await (await running()).runAsService(output, flags),
    p2pd: async (args) => {
      compiledCode.keep();
      const { runP2pd } = await import("./p2pd_command.ts");
      return await runP2pd(args, output);
    },
    showConfig: async (flags, options) => {
      endWithReader();
      return await (await daemon()).showConfig(output, flags, options);
    },
    validateConfig: async (flags, path) =>
      await (await daemon()).validateConfig(output, flags, path),
    service: async (verb, flags, options) => {
      endWithReader();
      return await (await daemon()).serviceCommand(output, verb, flags, options);
    },
    libraryCli: async (options) => await (await import("./library_cli.ts")).runLibraryCli(options),
    client: async (call, flags) => await runClient({ output, compiledCode }, call, flags),
    operation: async (words, flags) => await runOperation({ output, compiledCode }, words, flags),
    complete: async (words, program) => {
      const { complete, sourcesOf } = await import("./cli/commands/completions.ts");
      const flags: GlobalFlags = { format: "human", dev: false };
      const text = await complete(
        program,
        words,
        sourcesOf(createContext({ output, compiledCode }, flags)),
      );
      if (text) output.out(text);
      return EXIT.ok;
    },
  };
}

function printVersion(output: Output, format: OutputFormat): number {
  const json = { name: "almenad", ...versionFacts() };
  output.out(format === "json" ? JSON.stringify(json) : `almenad ${json.version}`);
  return EXIT.ok;
}

function versionFacts() {
  const { version, commit, buildTime, runtime } = versionInfo();
  return { version, commit, build_time: buildTime, runtime };
}

/** What every command of the client gets. */
interface Surroundings {
  readonly output: Output;
  readonly compiledCode: CompiledCode;
}

async function runClient(
  surroundings: Surroundings,
  call: ClientCall,
  flags: GlobalFlags,
): Promise<number> {
  endWithReader();
  return await runClientCommand(createContext(surroundings, flags), call);
}

// `almenad network peers` means the operation `network.peers`, if there is one.
async function runOperation(
  surroundings: Surroundings,
  [noun = "", verb = "", ...args]: readonly string[],
  flags: GlobalFlags,
): Promise<number | undefined> {
  const name = `${noun}.${verb}`;
  if (!/^\w+\.\w+$/.test(name)) return undefined;
  const { explainOperation, isOperation } = await import("./cli/commands/call.ts");
  const context = createContext(surroundings, flags);
  if (!await isOperation(context, name)) return undefined;
  endWithReader();
  if (args[0] === "--help") return await explainOperation(context, name);
  return await runClient(surroundings, { name: "call", args: [name, ...args], options: {} }, flags);
}

function createContext(surroundings: Surroundings, flags: GlobalFlags): CommandContext {
  const client = new Client({
    instance: flags.instance,
    dataDir: flags.dataDir,
    isDev: flags.dev,
    offline: true,
    version: versionFacts(),
  });
  const { dirs } = client.daemon;
  if (!dirs) throw new DaemonError("internal", "Cannot find the data folder of the daemon");
  const terminal = processTerminal();
  return {
    ...{ client, dirs, flags, output: surroundings.output, terminal },
    paint: paintFor(terminal),
    machine: machineParts(surroundings),
    interrupted,
    forInstance: (name) => {
      const { instance: _, ...rest } = flags;
      return createContext(surroundings, name ? { ...rest, instance: name } : rest);
    },
  };
}

function interrupted(): AbortSignal {
  const end = new AbortController();
  process.on("SIGINT", () => {
    if (end.signal.aborted) process.exit(EXIT.interrupted);
    end.abort();
  });
  return end.signal;
}

function machineParts({ compiledCode }: Surroundings): MachineParts {
  const program = ownProgram();
  return {
    program,
    isLocked: async (dirs) => (await import("./system/data_lock.ts")).isLocked(dirs),
    readPid: async (dirs) => (await import("./system/data_lock.ts")).readPid(dirs),
    listInstances: async (root) =>
      await (await import("./system/instances.ts")).listInstances(root),
    flagsOf: async (dirs) => await (await import("./system/noted_flags.ts")).notedFlags(dirs),
    startInBackground: async (
      flags: GlobalFlags,
      dirs: DataDirs,
      before: readonly string[],
    ) => {
      await compiledCode.end();
      return startInBackground(
        [...program, ...before, ...flagWords(flags), ...(flags.dev ? ["--dev"] : []), "run"],
        dirs,
        flags.dev ? { cwd: process.cwd() } : {}, // its data are in the working folder
      );
    },
    settings: async (flags) => await (await import("./daemon_commands.ts")).settings(flags),
    openInBrowser: async (url) => await (await import("./system/browser.ts")).openInBrowser(url),
    wantedAddresses: async (flags) =>
      await (await import("./daemon_commands.ts")).wantedAddresses(flags),
    storedPeerId: async (dirs) =>
      await (await import("./network/identity.ts")).storedPeerId(dirs.data),
    operations: async () => {
      const { builtInOperations } = await import("./built_in_operations.ts");
      return builtInOperations();
    },
  };
}
