/**
 * Runs the tests and says at the end, alone on a line, how they fared: `N passed, N failed, N skipped`.
 *
 *     deno run -A tests/support/run_tests.ts [unit | e2e | full]
 *
 * Without a word everything runs in its small size; `full` is everything in the sizes that are
 * promised. Tests of real processes run in a network namespace of their own where this machine
 * can make one, because daemons speak mDNS to the network they are on.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { canUnshareNetwork, IN_OWN_NETWORK, inOwnNetwork } from "./own_network.ts";
import { addCounts, type Counts, countsOf, summary } from "./test_report.ts";

const MODES = ["all", "unit", "e2e", "full"] as const;
type Mode = (typeof MODES)[number];

/** One `deno test`. */
interface Run {
  readonly name: string;
  readonly args: readonly string[];
  readonly isNetworked?: boolean;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Longest run of one `deno test`; the full sizes have no such limit. */
const RUN_TIMEOUT_MS = 15 * 60_000;

const UNIT: readonly Run[] = [
  { name: "unit and contract tests", args: ["--parallel", "tests/unit", "tests/contract"] },
  { name: "examples in the documentation", args: ["--doc", "src"] },
];
const E2E: readonly Run[] = [
  { name: "tests of real processes", args: ["tests/e2e"], isNetworked: true },
];

function modeOf(word: string | undefined): Mode {
  const mode = MODES.find((known) => known === (word ?? "all"));
  if (mode) return mode;
  process.stderr.write(`Cannot run "${word}": it is not one of ${MODES.slice(1).join(", ")}\n`);
  process.exit(2);
}

/** Tests find what they leak: from Deno 2.9 on that has to be asked for. */
function sanitizers(): string[] {
  const [major = 0, minor = 0] = Deno.version.deno.split(".").map(Number);
  const isAsked = major > 2 || (major === 2 && minor >= 9);
  return ["--trace-leaks", ...(isAsked ? ["--sanitize-ops", "--sanitize-resources"] : [])];
}

function commandOf(run: Run, report: string): string[] {
  const check = run.args.includes("--doc") ? [] : ["--no-check"]; // `deno task check` does the rest
  const flags = ["-A", "--unstable-net", ...check, ...sanitizers(), `--junit-path=${report}`];
  const command = [Deno.execPath(), "test", ...flags, ...run.args];
  return run.isNetworked && canUnshareNetwork() ? inOwnNetwork(command) : command;
}

async function execute(
  command: readonly string[],
  env: Record<string, string>,
  onSkipped: (line: string) => void,
): Promise<number> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const timer = env["ALMENAD_FULL"] ? undefined : setTimeout(() => child.kill(), RUN_TIMEOUT_MS);
  for (
    const [from, to] of [[child.stdout, process.stdout], [child.stderr, process.stderr]] as const
  ) {
    let rest = "";
    from.setEncoding("utf8").on("data", (text: string) => {
      to.write(text);
      const lines = `${rest}${text}`.split("\n");
      rest = lines.pop() ?? "";
      lines.filter((line) => line.startsWith("SKIPPED (")).forEach(onSkipped);
    });
  }
  const { promise, resolve } = Promise.withResolvers<number>();
  child.on("error", () => resolve(127));
  child.on("close", (code) => resolve(code ?? 1));
  const code = await promise;
  clearTimeout(timer);
  return code;
}

async function runOne(
  run: Run,
  env: Record<string, string>,
  onSkipped: (line: string) => void,
): Promise<Counts> {
  const folder = await mkdtemp(join(tmpdir(), "almenad-tests-"));
  const report = join(folder, "report.xml");
  process.stdout.write(`\n== ${run.name}\n`);
  try {
    const networkEnv = run.isNetworked && canUnshareNetwork() ? { [IN_OWN_NETWORK]: "1" } : {};
    const code = await execute(commandOf(run, report), { ...env, ...networkEnv }, onSkipped);
    const counts = countsOf(await readFile(report, "utf8").catch(() => ""));
    // A crash, a syntax error or a leak outside of any test fails without a failed test.
    return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const mode = modeOf(parseArgs({ allowPositionals: true }).positionals[0]);
  const runs = [...(mode === "e2e" ? [] : UNIT), ...(mode === "unit" ? [] : E2E)];
  const env: Record<string, string> = mode === "full" ? { ALMENAD_FULL: "1" } : {};
  const skipped = new Set<string>();
  let counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const run of runs) {
    counts = addCounts(counts, await runOne(run, env, (line) => skipped.add(line)));
  }
  process.stdout.write(`\n${[...skipped].map((line) => `${line}\n`).join("")}`);
  process.stdout.write(`${summary(counts)}\n`);
  return counts.failed > 0 ? 1 : 0;
}

process.exit(await main());
