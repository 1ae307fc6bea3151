/** The command line: parses flags, runs one command, prints its result. */
export { configText } from "./config_text.ts";
export { EXIT, exitCodeOf } from "./exit_codes.ts";
export {
  type ForegroundComponents,
  type ForegroundInit,
  runForeground,
  type Supervisor,
} from "./foreground.ts";
export { describeFailure, type Output, type OutputFormat, standardOutput } from "./output.ts";
export { type CliActions, type GlobalFlags, runCli, type ServiceFlags } from "./program.ts";
