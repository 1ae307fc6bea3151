import { Command, CommanderError, Option } from "commander";
import { DaemonError } from "../core/mod.ts";
import type { CliActions } from "./cli_actions.ts";
import { addClientCommands } from "./client_program.ts";
import { EXIT, exitCodeOf } from "./exit_codes.ts";
import { describeFailure, endWithReader, type Output, type OutputFormat } from "./output.ts";

/**
 * Parses a command line with all its commands and runs what it asks for.
 *
 * @param args Without the executable's name.
 * @returns The exit code; a failure is printed as one line on standard error.
 */
export async function runProgram(
  args: readonly string[],
  actions: CliActions,
  output: Output,
): Promise<number> {
  let code: number = EXIT.ok;
  const format = formatOf(args);
  try {
    const words = withItemVersion(args);
    const program = createProgram(actions, output, (outcome) => code = outcome);
    const operation = helpAskedOf(program, words);
    const helped = operation && await actions.operation(operation, program.opts());
    if (helped !== undefined) return helped;
    await program.parseAsync(words, { from: "user" });
    return code;
  } catch (failure) {
    if (failure instanceof VersionRequest) return await actions.version(format);
    if (failure instanceof CommanderError) return failure.exitCode === 0 ? EXIT.ok : EXIT.usage;
    output.error(describeFailure(failure, format));
    return exitCodeOf(failure);
  }
}

// `network tag --help` is about the operation; commander would show the program's own help.
function helpAskedOf(program: Command, words: readonly string[]): string[] | undefined {
  if (!words.some((word) => word === "--help" || word === "-h")) return undefined;
  const { operands: [noun = "", verb = ""] } = program.parseOptions([...words]);
  const isCommand = program.commands.some((one) => [one.name(), ...one.aliases()].includes(noun));
  return verb && !isCommand ? [noun, verb, "--help"] : undefined;
}

// Commander gives --version to the program wherever it stands; after `library add` it is the item's.
function withItemVersion(args: readonly string[]): string[] {
  const verb = args.findIndex((word, at) => word === "add" && args[at - 1] === "library");
  return args.map((word, at) =>
    verb >= 0 && at > verb ? word.replace(/^--version(?==|$)/, "--item-version") : word
  );
}

/** Ends parsing, wherever among the flags the version is asked for. */
class VersionRequest extends CommanderError {}

// For what is printed before, or because, the flags could not be parsed.
function formatOf(args: readonly string[]): OutputFormat {
  const at = args.indexOf("--format");
  return (at >= 0 && args[at + 1] === "json") || args.includes("--format=json") ? "json" : "human";
}

/**
 * The command line: every command with its arguments, options and what it does.
 *
 * @param finish Told the exit code of the command that ran.
 */
export function createProgram(
  actions: CliActions,
  output: Output,
  finish: (code: number) => void,
): Command {
  const program = new Command("almenad");
  program
    .description(
      "The peer daemon: finds peers, keeps encrypted links to them, serves local programs",
    )
    .configureOutput({
      writeOut: (text) => {
        endWithReader(); // help is long
        output.out(text.trimEnd());
      },
      writeErr: (text) => output.error(withRemedy(text.trimEnd().replace(/^error: /, "almenad: "))),
    })
    .exitOverride()
    .showSuggestionAfterError()
    .addOption(
      new Option("--format <format>", "how results are printed").choices(["human", "json"]).default(
        "human",
      ),
    )
    .option("-V, --version", "print the version and exit")
    .option("--dev", "development mode: debug logging, data in ./workspace", false)
    .option("--data-dir <path>", "folder of data, config and logs")
    .option("--instance <name>", "one of several daemons of this user, with data of its own")
    .option(
      "--grpc-addr <host:port>",
      "gRPC listener (GRPC_ADDR; default [::1]:50051 and 127.0.0.1)",
    )
    .option("--rest-addr <host:port>", "REST listener (REST_ADDR; default 127.0.0.1:8080)")
    .option("--p2p-listen <multiaddrs>", "swarm listeners, comma-separated (P2P_LISTEN)")
    .option("--p2pd-listen <multiaddr>", "serve the p2pd protocol too, such as /unix/tmp/p2pd.sock")
    .option("--allow-remote", "let gRPC and REST listen on addresses other machines can reach")
    .option("--admin-token-file <path>", "word for changes over HTTP (daemon/admin_token)")
    .option("--private", "serve untrusted peers nothing but the trust handshake")
    .option("--trust-auto-approve", "trust every peer that asks")
    .on("option:version", () => {
      throw new VersionRequest(EXIT.ok, "almenad.version", "the version was asked for");
    })
    .addHelpText("after", HELP);
  addRunCommands(program, actions, finish);
  addLibraryHarness(program, actions, finish);
  addConfigCommands(program, actions, finish);
  addServiceCommands(program, actions, finish);
  addClients(program, actions, finish);
  // Last, because commands inherit what is set before they are added.
  program.allowExcessArguments().helpCommand(true).action(async () => {
    if (program.args.length === 0) return finish(await actions.run(program.opts()));
    const code = await actions.operation(program.args, program.opts());
    finish(code ?? refuseCommand(program));
  });
  return program;
}

// Where the parser guesses nothing, the help is named.
function withRemedy(text: string): string {
  return /unknown (command|option) '[^']*'$/.test(text) ? `${text}; see almenad --help` : text;
}

// Commander guesses what a wrong command was meant to be only where no command is also an action.
function refuseCommand(program: Command): never {
  return (program as unknown as { unknownCommand(): never }).unknownCommand();
}

function addClients(program: Command, actions: CliActions, finish: (code: number) => void) {
  addClientCommands(program, async (name, args, options) => {
    if (name === "start" && options["foreground"]) finish(await actions.run(program.opts()));
    else if (name === "complete") finish(await actions.complete(args, program));
    else finish(await actions.client({ name, args, options }, program.opts()));
  });
}

function addRunCommands(program: Command, actions: CliActions, finish: (code: number) => void) {
  program.command("run", { isDefault: false }).description("run the daemon in the foreground")
    .action(async () => finish(await actions.run(program.opts())));
  program.command("p2pd").description("run a p2pd: libp2p for programs in any language; -help");
  program.command("service-run", { hidden: true })
    .action(async () => finish(await actions.runAsService(program.opts())));
}

function addLibraryHarness(program: Command, actions: CliActions, finish: (code: number) => void) {
  program.command("library-cli", { hidden: true }).description("the shared library by JSON lines")
    .option("--name <name>", "shown in the first line", "almenad")
    .requiredOption("--dir <path>", "the library's folder")
    .requiredOption("--state <path>", "identity, index and settings")
    .action(async (options) => finish(await actions.libraryCli(options)));
}

function addConfigCommands(program: Command, actions: CliActions, finish: (code: number) => void) {
  const config = program.command("config").description("show or check the configuration");
  config.command("show").description("print the configuration in force")
    .option("--origin", "say where each value comes from", false)
    .action(async (options) => finish(await actions.showConfig(program.opts(), options)));
  config.command("validate [file]").description("check config.toml without starting")
    .action(async (file) => finish(await actions.validateConfig(program.opts(), file)));
}

function addServiceCommands(program: Command, actions: CliActions, finish: (code: number) => void) {
  const daemon = program.command("daemon").description("almenad as a service of this system");
  const verbs = [
    ["install", "register and start the service"],
    ["uninstall", "stop and remove the service; data and configuration stay"],
    ["status", "what the system says of the service"],
    ["logs", "the service's log"],
  ] as const;
  for (const [verb, description] of verbs) {
    const command = daemon.command(verb).description(description)
      .option("--dry-run", "print what would be done, and do nothing", false)
      .addOption(new Option("--platform <platform>", "with --dry-run: for another system")
        .choices(["linux", "darwin", "windows"]));
    if (verb === "logs") command.option("-f, --follow", "wait for further lines", false);
    command.action(async (options) => {
      if (options.platform && !options.dryRun) {
        throw new DaemonError("invalid_argument", "Cannot use --platform without --dry-run");
      }
      finish(await actions.service(verb, program.opts(), { follow: false, ...options }));
    });
  }
}

/** What stands below the help of the program itself. */
export const HELP = `
Examples:
  almenad                                   run the daemon in the foreground
  almenad --dev                             the same, with debug logging and data in ./workspace
  almenad start                             run it in the background; status, logs -f, stop
  almenad --instance dev start              a second one that shares nothing with the first
  almenad call network.peers                any operation; almenad call lists them
  almenad network peers --format json       the same operation, as a command
  almenad daemon install                    start with this user's session, from now on
  almenad config show --origin              every setting and where it comes from
  almenad dashboard                         the daemon's page in the browser, signed in

Environment: GRPC_ADDR, REST_ADDR, P2P_LISTEN, BOOTSTRAP_PEERS, RUST_LOG; ALMENAD_DATA_DIR with --dev
Exit codes: 0 ok, 1 failed, 2 usage, 3 already running, 4 not running, 5 permission,
            6 damaged identity or configuration, 70 internal, 130 ended by Ctrl-C`;
