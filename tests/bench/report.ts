/** Figures for people and programs: a markdown table, then the same as one JSON line. */

/** One row: a label for each text column, a number for each figure. */
export type Row = Readonly<Record<string, string | number>>;

/** The value below which `share` (0 to 1) of the values lie. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? NaN;
  return (lower + upper) / 2;
}

/**
 * Median over rounds of ours divided by theirs. Each round measured both under the same load of the machine, so this
 * says more than the ratio of two medians.
 */
export function ratio(ours: readonly number[], theirs: readonly number[]): number {
  return median(ours.map((value, round) => value / (theirs[round] ?? NaN)));
}

/** Runs every contestant once a round, in turn, and collects what each measured, by name. */
export async function interleave<T>(
  rounds: number,
  contestants: ReadonlyMap<string, () => Promise<T>>,
): Promise<Map<string, T[]>> {
  const results = new Map<string, T[]>([...contestants.keys()].map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    // Every other round goes backwards, so that nobody always follows the same neighbour.
    const order = round % 2 === 0 ? [...contestants] : [...contestants].reverse();
    for (const [name, measure] of order) results.get(name)?.push(await measure());
  }
  return results;
}

/** Prints rows under a heading as a markdown table and as one JSON line. */
export function printReport(title: string, rows: readonly Row[], notes: readonly string[]): void {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  print([
    `\n### ${title}\n`,
    line(columns),
    line(columns.map(() => "---")),
    ...rows.map((row) => line(columns.map((column) => format(row[column])))),
    "",
    ...notes,
    "",
    JSON.stringify({ bench: title, machine: machine(), rows, notes }),
  ].join("\n"));
}

/** One line of progress or result on stdout. */
export function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function format(value: string | number | undefined): string {
  if (typeof value !== "number") return value ?? "";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}

function machine(): Record<string, unknown> {
  const { os, arch } = Deno.build;
  return { os, arch, cores: navigator.hardwareConcurrency, deno: Deno.version.deno };
}
