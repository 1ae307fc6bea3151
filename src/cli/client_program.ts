/** The commands that talk to a daemon: their names, arguments and options. */
import { type Command, Option } from "commander";
import type { ClientCommandName, CommandOptions } from "./command_context.ts";
import { addPluginCommands } from "./plugin_program.ts";
import { addReachCommands } from "./reach_program.ts";

/** Runs one command. */
export type RunClient = (
  name: ClientCommandName,
  args: readonly string[],
  options: CommandOptions,
) => Promise<void>;

/** One command, declared. */
interface Declaration {
  /** With its arguments, such as `ping [peer]`. */
  readonly usage: string;
  readonly description: string;
  readonly options?: readonly Option[];
}

const option = (flags: string, description: string) => new Option(flags, description);
const repeated = (flags: string, description: string) =>
  option(flags, description).argParser<string[]>((value, before) => [...before ?? [], value]);
const library = () => option("--library <id>", "a library, in place of the default one");
const logFilters = () => [
  option("--level <level>", "log lines of this level or worse"),
  option("--target <text>", "log lines whose target has this text"),
  option("--library <id>", "of one library"),
  option("--job <id>", "of one job"),
];

const COMMANDS: Readonly<Partial<Record<ClientCommandName, Declaration>>> = {
  start: {
    usage: "start",
    description: "run the daemon in the background",
    options: [
      option("--foreground", "the same as run"),
    ],
  },
  stop: { usage: "stop", description: "stop the daemon in order" },
  restart: { usage: "restart", description: "stop the daemon if it runs, then start it" },
  status: { usage: "status", description: "whether the daemon runs, and how it fares" },
  peers: {
    usage: "peers",
    description: "the peers it has seen",
    options: [
      option("--connected", "only those it is connected to"),
    ],
  },
  ping: {
    usage: "ping [peer]",
    description: "round-trip time to a peer; without one, to the daemon",
    options: [option("-c, --count <n>", "so many times, a second apart")],
  },
  connect: { usage: "connect <peer>", description: "connect to a peer id or a multiaddr" },
  disconnect: { usage: "disconnect <peer>", description: "disconnect from a peer" },
  call: {
    usage: "call [operation] [words...]",
    description: "any operation, with JSON (- reads it from standard input) or words; or list them",
    options: [library()],
  },
  jobs: { usage: "jobs", description: "what waits, runs and ended lately" },
  events: {
    usage: "events",
    description: "what happens, as it happens, until Ctrl-C",
    options: [
      repeated("-t, --type <type>", "only this kind; may be repeated"),
      ...logFilters(),
      option("--device <peer-id>", "of one peer"),
      option("--resource-type <type>", "of resources of one type"),
      option("--path <folder>", "of one folder"),
      option("--descendants", "with --path: of the folders in it as well"),
    ],
  },
  logs: {
    usage: "logs",
    description: "the last lines of the daemon's log",
    options: [
      option("-f, --follow", "and what is written from now on, until Ctrl-C"),
      option("-n, --lines <n>", "so many lines (100; with -f 10)"),
      ...logFilters(),
    ],
  },
  dashboard: {
    usage: "dashboard",
    description: "open the daemon's page in the browser; prints its address, which works once",
    options: [option("--no-open", "only print the address")],
  },
  doctor: { usage: "doctor", description: "look for what is wrong, and say what to do" },
  bugreport: {
    usage: "bugreport",
    description: "write an archive for whoever is to help, without secrets, peer ids or addresses",
    options: [
      option("-o, --output <file>", "where; else almenad-bugreport-<time>.tar.gz in this folder"),
      option("-n, --lines <n>", "so many lines of the log (2000)"),
    ],
  },
};

/** Adds all of them. */
export function addClientCommands(program: Command, run: RunClient): void {
  for (const [name, declaration] of Object.entries(COMMANDS)) {
    declare(program, declaration, (args, options) => run(name as ClientCommandName, args, options));
  }
  addInstances(program, run);
  addLibrary(program, run);
  const files = program.command("files").description("files of this machine");
  declare(files, {
    usage: "copy <paths...>",
    description: "copy files and folders to the last path, as a job",
    options: [
      option("--method <method>", "how").choices(["auto", "atomic", "streaming"]).default("auto"),
      option("--move", "remove each source once its copy is safe"),
      option("--overwrite", "replace files that are there"),
      option("--no-wait", "only begin it"),
      library(),
    ],
  }, (args, options) => run("files copy", args, options));
  addPluginCommands(program, run);
  addReachCommands(program, run);
  program.command("completions").description("a script that completes commands in a shell")
    .argument("<shell>", "bash, zsh or fish")
    .action(async (shell: string) => await run("completions", [shell], {}));
  program.command("complete", { hidden: true }).argument("[words...]").allowUnknownOption()
    .action(async (words: string[]) => await run("complete", words, {}));
}

const NO_WAIT = () => option("--no-wait", "only begin it");

const LIBRARY_COMMANDS: readonly Declaration[] = [
  { usage: "list", description: "all libraries; works without a daemon as well" },
  { usage: "ls", description: "items: what peers share and what is here" },
  { usage: "search <text>", description: "items whose name or id has this text" },
  {
    usage: "get <item>",
    description: "fetch the newest version from all peers that have it, and install it",
    options: [option("--no-install", "only fetch it"), NO_WAIT()],
  },
  { usage: "install <item>", description: "install what was fetched", options: [NO_WAIT()] },
  {
    usage: "update [items...]",
    description: "fetch and install what is newer at peers; without items, all",
  },
  {
    usage: "uninstall <item>",
    description: "remove what is installed; what was fetched stays",
    options: [NO_WAIT()],
  },
  { usage: "cancel <item>", description: "stop what an item is busy with" },
  {
    usage: "scan",
    description: "look at the library's folder now",
    options: [option("--no-wait", "do not wait until everything is hashed")],
  },
  {
    usage: "add <folder>",
    description: "copy a folder into the library, to share it",
    options: [
      option("--id <id>", "its id; else the folder's name"),
      option("--item-version <version>", "its version (1); --version after add is the same"),
      option("--move", "move it there in place of a copy"),
    ],
  },
  { usage: "set-dir <path>", description: "use another folder as the library; moves no file" },
  { usage: "repair <item>", description: "free an item whose install log cannot be read" },
  {
    usage: "verify <item>",
    description: "read an item again and compare it with its hashes",
    options: [NO_WAIT()],
  },
];

function addLibrary(program: Command, run: RunClient): void {
  const library = program.command("library")
    .description("folders shared with the network, and the libraries of this daemon");
  for (const declaration of LIBRARY_COMMANDS) {
    const [verb] = declaration.usage.split(" ");
    declare(
      library,
      declaration,
      (args, options) => run(`library ${verb}` as ClientCommandName, args, options),
    );
  }
}

function addInstances(program: Command, run: RunClient): void {
  const instances = program.command("instances").description("all daemons of this user")
    .action(async () => await run("instances", [], {}));
  for (const verb of ["start", "stop"] as const) {
    instances.command(`${verb} [names...]`)
      .description(`${verb} those that are named, else all`)
      .action(async (names: string[]) => await run(`instances ${verb}`, names, {}));
  }
}

function declare(
  parent: Command,
  { usage, description, options = [] }: Declaration,
  run: (args: readonly string[], options: CommandOptions) => Promise<void>,
): void {
  const command = parent.command(usage).description(description);
  for (const one of options) command.addOption(one);
  command.action(async () => await run(command.args, command.opts()));
}
