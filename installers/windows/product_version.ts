import { DaemonError } from "../../src/core/mod.ts";

/**
 * Where each kind of pre-release begins within the thousand numbers of one patch level, and how many
 * it may have. The release itself is 999, so it replaces all of them.
 */
const PRERELEASES: Readonly<Record<string, { first: number; count: number }>> = {
  develop: { first: 0, count: 100 },
  alpha: { first: 100, count: 200 },
  beta: { first: 300, count: 200 },
  rc: { first: 500, count: 400 },
};
const RELEASE = 999;
/** Our versions begin with the year; Windows Installer takes 255 there at most. */
const YEAR_ZERO = 2_000;
/** ProductVersion's limits: https://learn.microsoft.com/windows/win32/msi/productversion. */
const MAX_MAJOR = 255;
const MAX_MINOR = 255;
const MAX_BUILD = 65_535;

/**
 * The version of a Windows Installer package for a version of ours.
 *
 * Windows Installer compares three numbers, `major.minor.build`, up to 255.255.65535, and knows no
 * pre-releases. So major is the year less 2000, minor is ours, and build is the patch times 1000 plus
 * 0-99 for `-develop[.n]`, 100-299 for `-alpha[.n]`, 300-499 for `-beta[.n]`, 500-899 for `-rc[.n]`
 * and 999 for the release. Order is kept; the highest patch is 64.
 *
 * @throws {DaemonError} `invalid_argument` for a version that does not fit.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(productVersion("2026.1.1-develop"), "26.1.1000");
 * assert.equal(productVersion("2026.1.1-rc.2"), "26.1.1502");
 * assert.equal(productVersion("2026.1.1"), "26.1.1999");
 * ```
 */
export function productVersion(version: string): string {
  const parts = /^(\d+)\.(\d+)\.(\d+)(?:-([a-z]+)(?:\.(\d+))?)?(?:\+.*)?$/.exec(version);
  if (parts === null) throw unfit(version, "it must read year.minor.patch[-label[.number]]");
  const [, year, minor, patch, label, number] = parts;
  const major = Number(year) - YEAR_ZERO;
  const build = Number(patch) * 1_000 + step(version, label, Number(number ?? 0));
  if (major < 0 || major > MAX_MAJOR) throw unfit(version, "the year must be 2000 to 2255");
  if (Number(minor) > MAX_MINOR) throw unfit(version, `the minor may be ${MAX_MINOR} at most`);
  if (build > MAX_BUILD) throw unfit(version, "the patch may be 64 at most");
  return `${major}.${Number(minor)}.${build}`;
}

/** Place of a pre-release within its patch level. */
function step(version: string, label: string | undefined, number: number): number {
  if (label === undefined) return RELEASE;
  const range = PRERELEASES[label];
  const known = Object.keys(PRERELEASES).join(", ");
  if (range === undefined) throw unfit(version, `"${label}" is none of ${known}`);
  if (number >= range.count) {
    throw unfit(version, `the number after "${label}" may be ${range.count - 1} at most`);
  }
  return range.first + number;
}

function unfit(version: string, why: string): DaemonError {
  return new DaemonError(
    "invalid_argument",
    `Cannot give version "${version}" to a Windows Installer package: ${why}`,
  );
}
