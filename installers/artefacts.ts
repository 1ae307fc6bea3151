import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { DaemonError, systemCode } from "../src/core/mod.ts";
import type { DebianArchitecture } from "./debian/build_deb.ts";

/** Systems we make installers for. */
export const PACKAGE_PLATFORMS = ["linux", "darwin", "windows"] as const;

/** One of {@link PACKAGE_PLATFORMS}. */
export type PackagePlatform = (typeof PACKAGE_PLATFORMS)[number];

/** An executable that goes into an installer. */
export interface Executable {
  readonly path: string;
  /** Debian's name of its processor; Linux only. */
  readonly architecture?: DebianArchitecture;
}

/** What `deno task compile --target …` leaves in `dist/`, by platform. */
const EXECUTABLES: Readonly<
  Record<PackagePlatform, readonly { file: string; architecture?: DebianArchitecture }[]>
> = {
  linux: [
    { file: "almenad-x86_64-unknown-linux-gnu", architecture: "amd64" },
    { file: "almenad-aarch64-unknown-linux-gnu", architecture: "arm64" },
  ],
  darwin: [{ file: "almenad-aarch64-apple-darwin" }],
  windows: [{ file: "almenad-x86_64-pc-windows-msvc.exe" }],
};

/** This machine, as `Deno.build` tells it. */
export interface Host {
  os: string;
  arch: string;
}

/**
 * The executables for a platform: those compiled for a named target; for this machine's own target
 * also what `deno task compile` made without a name, if that is newer.
 *
 * @throws {DaemonError} `failed_precondition` naming the command that makes what is missing.
 */
export async function findExecutables(
  dist: string,
  platform: PackagePlatform,
  host: Host,
): Promise<Executable[]> {
  const found: Executable[] = [];
  for (const { file, architecture } of EXECUTABLES[platform]) {
    const isOurs = platform === host.os && file.includes(host.arch);
    const own = isOurs ? [host.os === "windows" ? "almenad.exe" : "almenad"] : [];
    const path = await newestFile(dist, [file, ...own]);
    if (path !== undefined) found.push({ path, ...(architecture && { architecture }) });
  }
  if (found.length > 0) return found;
  const targets = EXECUTABLES[platform].map(({ file }) =>
    /almenad-(.*?)(?:\.exe)?$/.exec(file)?.[1]
  );
  throw new DaemonError(
    "failed_precondition",
    `Cannot package for ${platform}: no executable in ${dist}. ` +
      `First run: deno task compile --target ${targets.join(" (or ")}${
        targets.length > 1 ? ")" : ""
      }`,
  );
}

async function newestFile(folder: string, names: readonly string[]): Promise<string | undefined> {
  const newest = { path: undefined as string | undefined, mtimeMs: -Infinity };
  for (const name of names) {
    const path = join(folder, name);
    const entry = await stat(path).catch(() => undefined);
    if (entry?.isFile() && entry.mtimeMs > newest.mtimeMs) {
      Object.assign(newest, { path, mtimeMs: entry.mtimeMs });
    }
  }
  return newest.path;
}

/** Files of a release, by name; the executable without a target's name is this machine's alone. */
const RELEASED =
  /^(almenad[-_].*\.(deb|pkg|msi|zip|exe)|almenad-[a-z0-9_]+-[a-z0-9-]+|install\.(sh|ps1))$/;

/**
 * Writes `SHA256SUMS` over all files of a release that are in a folder, as sha256sum(1) reads it.
 *
 * @returns The names of the files, sorted.
 */
export async function writeChecksums(dist: string): Promise<string[]> {
  const entries = await readdir(dist, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile() && RELEASED.test(entry.name))
    .map(({ name }) => name).sort();
  const lines: string[] = [];
  for (const name of names) lines.push(`${await sha256(join(dist, name))}  ${name}\n`);
  const target = join(dist, "SHA256SUMS");
  await writeFile(`${target}.part`, lines.join(""));
  await rename(`${target}.part`, target);
  return names;
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

/**
 * The time that files of a package are dated: SOURCE_DATE_EPOCH
 * (https://reproducible-builds.org/specs/source-date-epoch/), or when the executable was made.
 *
 * @returns Seconds since 1970.
 * @throws {DaemonError} `invalid_argument` for a variable that is no such number, `not_found`
 * without the executable.
 */
export async function sourceDateEpoch(
  env: Readonly<Record<string, string | undefined>>,
  executable: string,
): Promise<number> {
  const given = env["SOURCE_DATE_EPOCH"];
  if (given) {
    if (/^\d{1,10}$/.test(given)) return Number(given);
    throw new DaemonError(
      "invalid_argument",
      `Cannot date the package: SOURCE_DATE_EPOCH is "${given}", not seconds since 1970`,
    );
  }
  try {
    return Math.floor((await stat(executable)).mtimeMs / 1_000);
  } catch (cause) {
    const code = systemCode(cause) === "ENOENT" ? "not_found" : "permission_denied";
    throw new DaemonError(code, `Cannot read "${executable}"`, { cause });
  }
}
