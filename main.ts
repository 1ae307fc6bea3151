/** almenad: parses flags, then runs the daemon or one command. */
import process from "node:process";
import { flushOutput, runCli, standardOutput } from "./src/cli/mod.ts";
import { createActions } from "./src/commands.ts";
import { watchCompiledCode } from "./src/system/compiled_code.ts";
import { isNamedP2pd } from "./src/system/program_name.ts";

const compiledCode = watchCompiledCode();
const actions = createActions(standardOutput, compiledCode);
const args = process.argv.slice(2);
const code = isNamedP2pd() ? await actions.p2pd(args) : await runCli(args, actions, standardOutput);
await compiledCode.end();
await flushOutput();
process.exit(code);
