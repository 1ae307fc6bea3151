const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  "µs": 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3_600,
  d: 86_400,
};

/**
 * Seconds of a duration as Go writes it, with days; undefined for another text.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(durationSeconds("1h30m"), 5_400);
 * assert.equal(durationSeconds("soon"), undefined);
 * ```
 */
export function durationSeconds(text: string): number | undefined {
  if (text.length > 64) return undefined;
  if (!/^-?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d))+$/.test(text)) return text === "0" ? 0 : undefined;
  let seconds = 0;
  for (const [, amount, unit = ""] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)/g)) {
    seconds += Number(amount) * (UNITS[unit] ?? NaN);
  }
  return text.startsWith("-") ? -seconds : seconds;
}
