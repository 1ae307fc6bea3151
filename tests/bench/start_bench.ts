/**
 * Executables, from process start to the ready line, resident memory when idle, size on disk. Promised: start and
 * memory at most 1.15 x of the plain program's, size at most 105 MB.
 *
 * Skipped where no executable can be made: Deno downloads what it needs for that, or takes what `DENORT_BIN` names.
 */
import process from "node:process";
import { messageOf } from "../../src/core/mod.ts";
import { cpuMs, memoryMib, settle } from "./process_stats.ts";
import { ALMENAD, executablePrograms, PLAIN, type Program, start } from "./programs.ts";
import { onQuietHost } from "./quiet_host.ts";
import { interleave, median, percentile, print, printReport, ratio, type Row } from "./report.ts";

const ROUNDS = Number(process.env["ALMENAD_BENCH_ROUNDS"] ?? 20);
const MEMORY_ROUNDS = Math.min(5, ROUNDS);
/** Long enough for the first collections after start. */
const IDLE_MS = 5_000;

interface Prepared {
  readonly programs: readonly Program[];
  readonly dataDir: string;
}

async function prepare(): Promise<Prepared> {
  const dataDir = await Deno.makeTempDir({ prefix: "almenad-bench-" });
  try {
    return { programs: await executablePrograms(dataDir), dataDir };
  } catch (failure) {
    print(`SKIPPED (needs denort): start_bench\n${messageOf(failure)}`);
    Deno.exit();
  }
}

interface Start {
  readonly readyMs: number;
  readonly cpuMs: number;
}

async function startOnce(program: Program): Promise<Start> {
  await using running = await start(program);
  return { readyMs: running.readyMs, cpuMs: await cpuMs(running.process.pid) };
}

async function idleMib(program: Program): Promise<number> {
  await using running = await start(program);
  await settle(IDLE_MS);
  return await memoryMib(running.process.pid);
}

async function measure({ programs, dataDir }: Prepared): Promise<void> {
  // The first start makes an identity and a code cache; it is shown apart.
  const first = new Map<string, Start>();
  for (const program of programs) first.set(program.name, await startOnce(program));
  const each = <T>(what: (program: Program) => Promise<T>) =>
    new Map(programs.map((program) => [program.name, () => what(program)]));
  const starts = await interleave(ROUNDS, each(startOnce));
  const memory = await interleave(MEMORY_ROUNDS, each(idleMib));
  const values = (name: string, key: keyof Start) => starts.get(name)?.map((one) => one[key]) ?? [];
  const rows = await Promise.all(programs.map(async ({ name, command }): Promise<Row> => ({
    program: name,
    "first start ms": first.get(name)?.readyMs ?? NaN,
    "start ms p50": median(values(name, "readyMs")),
    "start ms p99": percentile(values(name, "readyMs"), 0.99),
    "start x plain": ratio(values(name, "readyMs"), values(PLAIN, "readyMs")),
    "cpu ms p50": median(values(name, "cpuMs")),
    "cpu x plain": ratio(values(name, "cpuMs"), values(PLAIN, "cpuMs")),
    "idle MiB": median(memory.get(name) ?? []),
    "idle x plain": ratio(memory.get(name) ?? [], memory.get(PLAIN) ?? []),
    "size MB": (await Deno.stat(command[0] ?? "")).size / 1e6,
  })));
  printReport(`Start, memory and size of executables, ${ROUNDS} rounds`, rows, [
    `Promised for ${ALMENAD}: start and memory at most 1.15 x plain, size at most 105 MB.`,
  ]);
  await Deno.remove(dataDir, { recursive: true });
}

await onQuietHost(import.meta.url, prepare, measure);
