/** almenad: parses flags, then runs the daemon or one command. */
import process from "node:process";
import { flushOutput, runCli, standardOutput } from "./src/cli/mod.ts";
import { createActions } from "./src/commands.ts";
import { isNamedP2pd } from "./src/system/program_name.ts";

const actions = createActions(standardOutput);
const args = process.argv.slice(2);
const code = isNamedP2pd() ? await actions.p2pd(args) : await runCli(args, actions, standardOutput);
await flushOutput();
process.exit(code);
