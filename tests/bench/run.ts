/**
 * Runs benchmarks one after another, each in a process of its own: `run.ts [name…]`, such as `run.ts grpc stream`;
 * without a name all of them.
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const SUFFIX = "_bench.ts";

async function names(): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(FOLDER)) {
    if (name.endsWith(SUFFIX)) found.push(name.slice(0, -SUFFIX.length));
  }
  return found.sort();
}

const known = await names();
const { positionals } = parseArgs({ allowPositionals: true });
const unknown = positionals.find((name) => !known.includes(name));
if (unknown !== undefined) {
  process.stderr.write(`Cannot run "${unknown}": it is not one of ${known.join(", ")}\n`);
  process.exit(2);
}
for (const name of positionals.length > 0 ? positionals : known) {
  const args = ["run", "-A", "--unstable-net", `${FOLDER}${name}${SUFFIX}`];
  const { code } = await new Deno.Command(Deno.execPath(), { args }).spawn().status;
  if (code !== 0) {
    process.stderr.write(`The benchmark "${name}" ended with code ${code}\n`);
    process.exitCode = 1;
  }
}
