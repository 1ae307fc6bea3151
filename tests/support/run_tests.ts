/**
 * Runs the tests and says at the end, alone on a line, how they fared: `N passed, N failed, N skipped`.
 *
 *     deno run -A tests/support/run_tests.ts [unit | e2e | full | library]
 *
 * Without a word everything runs in its small size; `full` is everything in the sizes that are
 * promised, `library` what is of the shared library. Tests of real processes run in a network namespace of their own where this machine
 * can make one, because daemons speak mDNS to the network they are on.
 */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { canUnshareNetwork, IN_OWN_NETWORK, inOwnNetwork } from "./own_network.ts";
import { besideEachOther, CAPACITY, inOrder, loadOf } from "./test_schedule.ts";
import {
  addCounts,
  type Counts,
  countsAfterRetry,
  countsOf,
  type Duration,
  durationText,
  failedFile,
  type Failure,
  failuresOf,
  failureText,
  summary,
} from "./test_report.ts";

const MODES = ["all", "unit", "e2e", "full", "library"] as const;
type Mode = (typeof MODES)[number];

/** One or more `deno test` under one heading. */
interface Run {
  readonly name: string;
  /** Arguments of each `deno test`. */
  readonly tests: readonly (readonly string[])[];
  /** In a network of its own each, and beside each other as far as the machine bears it. */
  readonly isNetworked?: boolean;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const E2E_FOLDER = "tests/e2e";
/** Longest run of one `deno test`; the full sizes have no such limit. */
const RUN_TIMEOUT_MS = 15 * 60_000;

/** These never start almenad, so with `ALMENAD_EXECUTABLE` they would prove the same once more. */
const FILES_WITHOUT_ALMENAD = [
  "deb_test.ts",
  "dev_task_test.ts",
  "install_script_test.ts",
  "library_crash_test.ts",
  "library_disk_test.ts",
  "library_random_test.ts",
  "mdns_change_test.ts",
  "mdns_discovery_test.ts",
  "mdns_hostile_test.ts",
  "package_test.ts",
  "page_views_test.ts",
  "pkg_test.ts",
  "state_crash_test.ts",
  "windows_msi_test.ts",
  "windows_plan_test.ts",
  "windows_wine_test.ts",
];

/** Unit tests wait a third to half of their time, so two files more than there are cores go on. */
const JOBS = { DENO_JOBS: process.env["DENO_JOBS"] ?? `${availableParallelism() + 2}` };

const UNIT: readonly Run[] = [
  { name: "unit and contract tests", tests: [["--parallel", "tests/unit", "tests/contract"]] },
  { name: "examples in the documentation", tests: [["--doc", "src"]] },
];

const LIBRARY_UNIT: readonly Run[] = [
  { name: "unit tests of the shared library", tests: [["--parallel", "tests/unit/sharing"]] },
];

function e2eRuns(mode: Mode): readonly Run[] {
  const isLeftOut = (file: string) =>
    process.env["ALMENAD_EXECUTABLE"] !== undefined && FILES_WITHOUT_ALMENAD.includes(file);
  const files = readdirSync(join(ROOT, E2E_FOLDER)).filter((file) => file.endsWith("_test.ts"));
  const isAsked = (file: string) => mode !== "library" || file.startsWith("library_");
  const chosen = inOrder(files.filter((file) => !isLeftOut(file) && isAsked(file)));
  const leftOut = files.filter(isLeftOut).length;
  const note = leftOut > 0 ? ` (without ${leftOut} files that never start almenad)` : "";
  const tests = chosen.map((file) => [`${E2E_FOLDER}/${file}`]);
  return [{ name: `tests of real processes${note}`, tests, isNetworked: true }];
}

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

function commandOf(run: Run, args: readonly string[], report: string): string[] {
  const check = args.includes("--doc") ? [] : ["--no-check"]; // `deno task check` does the rest
  const flags = ["-A", "--unstable-net", ...check, ...sanitizers(), `--junit-path=${report}`];
  const command = [Deno.execPath(), "test", ...flags, ...args];
  return run.isNetworked && canUnshareNetwork() ? inOwnNetwork(command) : command;
}

/** Runs a command; what it prints comes at once, or in one piece at its end. */
async function execute(
  command: readonly string[],
  env: Record<string, string>,
  { isQuiet, onLine }: { isQuiet: boolean; onLine: (line: string) => void },
): Promise<number> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const timer = env["ALMENAD_FULL"] ? undefined : setTimeout(() => child.kill(), RUN_TIMEOUT_MS);
  let kept = "";
  for (
    const [from, to] of [[child.stdout, process.stdout], [child.stderr, process.stderr]] as const
  ) {
    let rest = "";
    from.setEncoding("utf8").on("data", (text: string) => {
      if (isQuiet) kept += text;
      else to.write(text);
      const lines = `${rest}${text}`.split("\n");
      rest = lines.pop() ?? "";
      lines.forEach(onLine);
    });
  }
  const { promise, resolve } = Promise.withResolvers<number>();
  child.on("error", () => resolve(127));
  child.on("close", (code) => resolve(code ?? 1));
  const code = await promise;
  clearTimeout(timer);
  process.stdout.write(kept);
  return code;
}

/** What one `deno test` came to. */
interface Result {
  readonly counts: Counts;
  /** Test files with failures. */
  readonly files: readonly string[];
  readonly failures: readonly Failure[];
}

/** What all runs have come to so far. */
class Outcome {
  readonly skipped = new Set<string>();
  readonly durations: Duration[] = [];
  /** What failed, and what failed at first, in words. */
  readonly troubles: string[] = [];
  counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  readonly #env: Readonly<Record<string, string>>;

  constructor(env: Readonly<Record<string, string>>) {
    this.#env = env;
  }

  /**
   * Files with failures run once more, alone: on two busy cores a daemon can be late without being
   * wrong. What fails only beside others is told, but fails nothing.
   */
  async add(run: Run): Promise<void> {
    process.stdout.write(`\n== ${run.name}\n`);
    const again: Result[] = [];
    const load = ([path = ""]: readonly string[]) =>
      run.isNetworked ? loadOf(basename(path)) : CAPACITY;
    await besideEachOther(run.tests, load, async (args) => {
      const result = await this.#execute(run, args);
      if (result.files.length > 0 && !args.includes("--doc")) again.push(result);
      else this.#keep(result);
    });
    for (const first of again) this.#keep(await this.#retry(run, first));
  }

  async #retry(run: Run, first: Result): Promise<Result> {
    process.stdout.write(`\n== once more, alone: ${first.files.join(" ")}\n`);
    const second = await this.#execute(run, first.files);
    const isFlaky = ({ file, test }: Failure) =>
      !second.failures.some((failure) => failure.file === file && failure.test === test);
    for (const failure of first.failures.filter(isFlaky)) {
      this.troubles.push(`FLAKY ${failureText(failure)}`);
    }
    return { ...second, counts: countsAfterRetry(first.counts, second.counts) };
  }

  #keep({ counts, failures }: Result): void {
    this.counts = addCounts(this.counts, counts);
    this.troubles.push(...failures.map((failure) => `FAILED ${failureText(failure)}`));
  }

  async #execute(run: Run, args: readonly string[]): Promise<Result> {
    const folder = await mkdtemp(join(tmpdir(), "almenad-tests-"));
    const report = join(folder, "report.xml");
    const begun = performance.now();
    const paths = args.filter((word) => !word.startsWith("--"));
    const [file = ""] = paths;
    const failed = new Set<string>();
    const onLine = (line: string) => {
      if (line.startsWith("SKIPPED (")) this.skipped.add(line);
      const culprit = failedFile(line);
      if (culprit) failed.add(culprit);
    };
    try {
      const networkEnv = run.isNetworked && canUnshareNetwork() ? { [IN_OWN_NETWORK]: "1" } : {};
      const code = await execute(commandOf(run, args, report), {
        ...JOBS,
        ...this.#env,
        ...networkEnv,
      }, {
        isQuiet: run.isNetworked ?? false,
        onLine,
      });
      const xml = await readFile(report, "utf8").catch(() => "");
      const counts = countsOf(xml);
      const isOne = paths.length === 1 && file.endsWith(".ts");
      const files = code === 0 ? [] : isOne ? paths : [...failed];
      if (code === 0 || counts.failed > 0) return { counts, files, failures: failuresOf(xml) };
      // A crash, a syntax error or a leak outside of any test fails without a failed test.
      const message = `deno test ended with exit code ${code}, and no test failed`;
      const failure = { file: files.join(" ") || file, test: "outside of any test", message };
      return { counts: { ...counts, failed: 1 }, files, failures: [failure] };
    } finally {
      const seconds = (performance.now() - begun) / 1_000;
      this.durations.push({ name: file, seconds });
      await rm(folder, { recursive: true, force: true });
    }
  }
}

function hasNetworkOrNeedsNone(): boolean {
  if (process.env["ALMENAD_REQUIRE_NETNS"] !== "1" || canUnshareNetwork()) return true;
  process.stderr.write("Cannot run: ALMENAD_REQUIRE_NETNS=1, and no network namespace to be had\n");
  return false;
}

async function main(): Promise<number> {
  const mode = modeOf(parseArgs({ allowPositionals: true }).positionals[0]);
  if (!hasNetworkOrNeedsNone()) return 1;
  const unit = mode === "library" ? LIBRARY_UNIT : UNIT;
  const runs = [...(mode === "e2e" ? [] : unit), ...(mode === "unit" ? [] : e2eRuns(mode))];
  const env: Record<string, string> = mode === "full" ? { ALMENAD_FULL: "1" } : {};
  const outcome = new Outcome(env);
  for (const run of runs) await outcome.add(run);
  process.stdout.write(`\n${durationText(outcome.durations)}`);
  process.stdout.write(`\n${outcome.troubles.join("")}`);
  process.stdout.write(`\n${[...outcome.skipped].map((line) => `${line}\n`).join("")}`);
  process.stdout.write(`${summary(outcome.counts)}\n`);
  return outcome.counts.failed > 0 ? 1 : 0;
}

process.exit(await main());
