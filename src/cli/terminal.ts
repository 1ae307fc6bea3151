import process from "node:process";
import picocolors from "picocolors";

/** What the other end of standard output and standard error can show. */
export interface Terminal {
  /** Whether a person reads the results. */
  readonly isTerminal: boolean;
  /** Whether a person reads what is said beside them, such as progress. */
  readonly isErrorTerminal: boolean;
  readonly hasColour: boolean;
  readonly columns: number;
}

/** A word in a colour, or plain. */
export type Paint = Pick<
  ReturnType<typeof picocolors.createColors>,
  "bold" | "dim" | "green" | "red" | "yellow"
>;

/** The terminal of this process; NO_COLOR is honoured (https://no-color.org). */
export function processTerminal(): Terminal {
  const isTerminal = process.stdout.isTTY === true;
  const { NO_COLOR: noColour, TERM: term } = process.env;
  return {
    isTerminal,
    isErrorTerminal: process.stderr.isTTY === true,
    hasColour: isTerminal && !noColour && term !== "dumb",
    columns: process.stdout.columns || 80,
  };
}

/** Colours where they can be shown. */
export function paintFor({ hasColour }: Pick<Terminal, "hasColour">): Paint {
  return picocolors.createColors(hasColour);
}

/**
 * Columns as wide as their widest cell, below a line of headings.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const plain = paintFor({ hasColour: false });
 * assert.equal(table(["NAME", "PID"], [["dev", "12"]], plain), "NAME  PID\ndev   12");
 * ```
 */
export function table(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  paint: Paint,
): string {
  const clean = rows.map((row) => row.map(oneLine));
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...clean.map((row) => row[column]?.length ?? 0))
  );
  const line = (cells: readonly string[]) =>
    cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd();
  return [paint.bold(line(headings)), ...clean.map(line)].join("\n");
}

/** Names and values below one another. */
export function facts(entries: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries.map(([name, value]) => `  ${name.padEnd(width)}  ${oneLine(value)}`.trimEnd())
    .join("\n");
}

/** Text without control characters, which could move the cursor or hide what follows. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ");
}

/** A time span in its two largest units. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3_600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) return `${Math.floor(s / 3_600)} h ${Math.floor(s % 3_600 / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor(s % 86_400 / 3_600)} h`;
}

/** A progress bar of so many characters, 0 to 1. */
export function bar(progress: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, progress)) * width);
  return `${"█".repeat(full)}${"░".repeat(width - full)}`;
}

/** A number of bytes in its largest binary unit. */
export function bytes(count: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let [value, unit] = [Math.max(0, count), 0];
  for (; value >= 1_024 && unit < units.length - 1; unit++) value /= 1_024;
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
