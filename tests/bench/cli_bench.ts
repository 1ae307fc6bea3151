/**
 * Cold commands of the executable, from process start to its end, beside `deno run` of a hello world. Promised:
 * `almenad status` takes at most 1.5 x as long.
 *
 * Skipped where no executable can be made: Deno downloads what it needs for that, or takes what `DENORT_BIN` names;
 * `ALMENAD_EXECUTABLE` names one that is made already. Run it with the Deno version the executable is made of, since
 * versions differ in how fast they start.
 */
import { join } from "node:path";
import process from "node:process";
import { compile } from "../../installers/compile.ts";
import { messageOf } from "../../src/core/mod.ts";
import { onQuietHost } from "./quiet_host.ts";
import { interleave, median, percentile, print, printReport, ratio, type Row } from "./report.ts";

const ROUNDS = Number(process.env["ALMENAD_BENCH_ROUNDS"] ?? 30);
const HELLO = "deno run hello";

interface Prepared {
  readonly folder: string;
  readonly executable: string;
}

async function prepare(): Promise<Prepared> {
  const folder = await Deno.makeTempDir({ prefix: "almenad-bench-" });
  await Deno.writeTextFile(join(folder, "hello.ts"), 'console.log("hello");\n');
  try {
    const made = process.env["ALMENAD_EXECUTABLE"];
    return { folder, executable: made ?? await compile({ output: join(folder, "almenad") }) };
  } catch (failure) {
    print(`SKIPPED (needs denort): cli_bench\n${messageOf(failure)}`);
    Deno.exit();
  }
}

/** Milliseconds from the start of a process to its end. */
async function run([program = "", ...args]: readonly string[], code = 0): Promise<number> {
  const begun = performance.now();
  const output = await new Deno.Command(program, { args, stdin: "null" }).output();
  const ms = performance.now() - begun;
  if (output.code === code) return ms;
  print(`${[program, ...args].join(" ")} ended with ${output.code}`);
  Deno.exit(1);
}

async function measure({ folder, executable }: Prepared): Promise<void> {
  const almenad = (...args: string[]) => [executable, "--data-dir", folder, ...args];
  const hello = [Deno.execPath(), "run", join(folder, "hello.ts")];
  const contestants: [name: string, command: string[]][] = [
    [HELLO, hello],
    ["almenad status", almenad("status")],
    ["almenad status --format json", almenad("status", "--format", "json")],
    ["almenad peers", almenad("peers")],
    ["almenad call core.version", almenad("call", "core.version")],
    ["almenad --version", almenad("--version")],
  ];
  await run(almenad("start"));
  try {
    for (const [, command] of contestants) await run(command); // the first one fills caches
    const times = await interleave(
      ROUNDS,
      new Map(contestants.map(([name, command]) => [name, () => run(command)])),
    );
    const values = (name: string) => times.get(name) ?? [];
    const rows = contestants.map(([name]): Row => ({
      command: name,
      "ms min": Math.min(...values(name)),
      "ms p50": median(values(name)),
      "ms p99": percentile(values(name), 0.99),
      "x hello": ratio(values(name), values(HELLO)),
    }));
    printReport(`Cold commands of the executable, ${ROUNDS} rounds`, rows, [
      `Promised for almenad status: at most 1.5 x ${HELLO} (Deno ${Deno.version.deno}).`,
    ]);
  } finally {
    await run(almenad("stop"));
    await Deno.remove(folder, { recursive: true });
  }
}

await onQuietHost(import.meta.url, prepare, measure);
