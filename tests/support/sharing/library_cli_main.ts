/** The library's command line as a program: what `almenad library-cli` runs. */
import process from "node:process";
import { parseLibraryCli, runLibraryCli } from "../../../src/library_cli.ts";

try {
  process.exit(await runLibraryCli(parseLibraryCli(process.argv.slice(2))));
} catch (failure) {
  process.stderr.write(`${(failure as Error).message}\n`);
  process.exit(2);
}
