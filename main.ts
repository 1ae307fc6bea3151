/** almenad: parses flags, then runs the daemon or one command. */
import process from "node:process";
import { flushOutput, runCli, standardOutput } from "./src/cli/mod.ts";
import { createActions } from "./src/commands.ts";

const actions = createActions(standardOutput);
const code = await runCli(process.argv.slice(2), actions, standardOutput);
await flushOutput();
process.exit(code);
