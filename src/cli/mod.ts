/** The command line: parses flags, runs one command, prints its result. */
export { configText } from "./config_text.ts";
export { EXIT, exitCodeOf } from "./exit_codes.ts";
export {
  type ForegroundComponents,
  type ForegroundInit,
  runForeground,
  type Supervisor,
} from "./foreground.ts";
export { BACKGROUND_VARIABLE, startInBackground } from "./background.ts";
export type {
  ClientCall,
  ClientCommandName,
  CommandContext,
  KnownInstance,
  KnownOperation,
  MachineParts,
  StartedDaemon,
} from "./command_context.ts";
export {
  describeFailure,
  endWithReader,
  flushOutput,
  type Output,
  type OutputFormat,
  standardOutput,
} from "./output.ts";
export { paintFor, processTerminal, type Terminal } from "./terminal.ts";
export type { WantedAddress } from "./doctor/port_checks.ts";
export { runClientCommand } from "./client_commands.ts";
export type { CliActions, GlobalFlags, LibraryCliFlags, ServiceFlags } from "./cli_actions.ts";
export { runCli } from "./run_cli.ts";
