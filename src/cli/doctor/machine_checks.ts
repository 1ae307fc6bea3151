/** Whether folder, disk and clock are fit for use. */
import { open, readdir, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { randomUUID } from "node:crypto";
import { type DataDirs, messageOf, systemCode } from "../../core/mod.ts";
import { error, type Finding, ok, warning } from "./finding.ts";

/** Less free space than this hinders the daemon. */
const LEAST_FREE_BYTES = 64 * 1_024 * 1_024;
/** Less than this deserves a word. */
const LITTLE_FREE_BYTES = 512 * 1_024 * 1_024;
const LITTLE_FREE_SHARE = 0.02;
/** Clocks of file systems on a network may differ so much without harm. */
const CLOCK_TOLERANCE_MS = 5_000;
/** A clock before this release was made is wrong. */
const RELEASED = Date.parse("2026-01-01T00:00:00Z");

/** Tries to write where the daemon does, and looks at the clock while at it. */
export async function checkFolder(dirs: DataDirs): Promise<Finding[]> {
  const folder = await nearest(dirs.base);
  const path = join(folder, `.almenad-doctor-${randomUUID()}`);
  try {
    const begun = Date.now();
    await using file = await open(path, "wx", 0o600);
    await file.writeFile(" ".repeat(4_096));
    const { mtimeMs } = await file.stat();
    const writable = folder === dirs.base
      ? ok("folder", `${dirs.base} can be written`)
      : ok("folder", `${dirs.base} is not there yet and can be made`);
    return [writable, ...await closedFolders(dirs), checkFileClock(begun, Date.now(), mtimeMs)];
  } catch (failure) {
    return [unwritable(dirs.base, failure)];
  } finally {
    await rm(path, { force: true }).catch(() => undefined);
  }
}

function unwritable(base: string, failure: unknown): Finding {
  const code = systemCode(failure);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return error("disk", `${base}: no space is left`, "free disk space, then almenad start");
  }
  const remedy = code === "EROFS"
    ? "mount its file system for writing, or give another with --data-dir"
    : `make it yours: chown -R ${process.env["USER"] ?? "$USER"} ${base} && chmod -R u+rwX ${base}`;
  return error("folder", `${base} cannot be written: ${messageOf(failure)}`, remedy);
}

async function closedFolders(dirs: DataDirs): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const path of [dirs.data, dirs.config, dirs.logs, dirs.daemon]) {
    const probe = join(path, `.almenad-doctor-${randomUUID()}`);
    try {
      await (await open(probe, "wx", 0o600)).close();
      await rm(probe);
    } catch (failure) {
      if (systemCode(failure) !== "ENOENT") findings.push(unwritable(path, failure));
    }
  }
  return findings;
}

// No peer tells its time, so the clock is compared with what this machine has written.
function checkFileClock(before: number, after: number, written: number): Finding {
  const isNear = written > before - CLOCK_TOLERANCE_MS && written < after + CLOCK_TOLERANCE_MS;
  if (isNear) return ok("clock", "agrees with the file system of the data folder");
  const seconds = Math.round((written - after) / 1_000);
  return warning(
    "clock",
    `a file just written is dated ${seconds} s from now: file server and machine disagree`,
    "set both clocks by network time (timedatectl set-ntp true)",
  );
}

/**
 * Whether the clock can be right: not before this release, and not before what the daemon has
 * written. Peers tell no time, so that is all that can be known.
 */
export async function checkClock(dirs: DataDirs, now: number = Date.now()): Promise<Finding[]> {
  const remedy = "set the clock by network time (timedatectl set-ntp true)";
  if (now < RELEASED) {
    return [error("clock", `${new Date(now).toISOString()} is before this release`, remedy)];
  }
  const newest = await newestFile([dirs.logs, dirs.data, dirs.daemon]);
  if (!newest || newest.time <= now + CLOCK_TOLERANCE_MS) {
    return [ok("clock", "not before this release, nor before the daemon's files")];
  }
  const seconds = Math.round((newest.time - now) / 1_000);
  return [warning(
    "clock",
    `${newest.path} is dated ${seconds} s in the future, so the clock was set back or is wrong`,
    remedy,
  )];
}

async function newestFile(
  folders: readonly string[],
): Promise<{ path: string; time: number } | undefined> {
  const names = await Promise.all(folders.map(async (folder) => {
    const all = await readdir(folder).catch(() => []);
    return all.map((name) => join(folder, name));
  }));
  const dated = await Promise.all(
    names.flat().map(async (path) => {
      const stats = await stat(path).catch(() => undefined);
      return stats ? [{ path, time: stats.mtimeMs }] : [];
    }),
  );
  return dated.flat().sort((a, b) => b.time - a.time)[0];
}

/** Whether there is room to write. */
export async function checkDisk(dirs: DataDirs): Promise<Finding[]> {
  try {
    const stats = await statfs(await nearest(dirs.base));
    const free = Number(stats.bavail) * Number(stats.bsize);
    const share = Number(stats.bavail) / Math.max(1, Number(stats.blocks));
    const text = `${mebibytes(free)} free (${(share * 100).toFixed(1)} %) for ${dirs.base}`;
    if (free < LEAST_FREE_BYTES) return [error("disk", text, "free disk space")];
    if (free < LITTLE_FREE_BYTES || share < LITTLE_FREE_SHARE) {
      return [warning("disk", text, "free disk space soon")];
    }
    return [ok("disk", text)];
  } catch (failure) {
    return [warning("disk", `free space is not known: ${messageOf(failure)}`, "df -h")];
  }
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 1_048_576).toLocaleString("en")} MiB`;
}

// The folder itself, or the first one above it that is there.
async function nearest(folder: string): Promise<string> {
  for (let path = folder; path !== dirname(path); path = dirname(path)) {
    const isThere = await stat(path).then(() => true, (failure) => {
      return !["ENOENT", "ENOTDIR"].includes(systemCode(failure) ?? "");
    });
    if (isThere) return path;
  }
  return folder;
}
