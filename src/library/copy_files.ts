import { createHash, type Hash } from "node:crypto";
import type { BigIntStats, Dirent } from "node:fs";
import {
  chmod,
  copyFile,
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  opendir,
  readlink,
  rename,
  rm,
  rmdir,
  symlink,
  unlink,
  utimes,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { DaemonError, systemCode } from "../core/mod.ts";
import { fileError } from "./folder_rules.ts";

/** Bytes read and written at once. */
const BLOCK_BYTES = 1_024 * 1_024;
/** Deepest folder that is copied; deeper trees are loops or attacks. */
export const MAX_DEPTH = 256;

/** Coarsest step in which a file system keeps times: FAT has two seconds. */
const TIME_STEP_MS = 2_000n;

/** How one tree is copied. */
export interface TreeCopyInit {
  /** Where it grows, made by {@link tempBeside}. */
  temp: string;
  /** Let the file system share the blocks of a file instead of copying them. */
  isCloned: boolean;
  /** Bring every file and folder to the disk before the target gets its name. */
  isSynced: boolean;
  /** Read the copy back and compare it with what was read of the source. */
  isVerified: boolean;
  /** Replace a file that has the target's name. */
  isReplacing: boolean;
  signal: AbortSignal;
  /** Told of bytes that are in the copy. */
  onBytes(count: number): void;
}

/** What a walk over a tree finds. */
export interface TreeSize {
  files: number;
  bytes: number;
}

/**
 * Counts a file or a tree, and refuses what cannot be copied before anything is.
 *
 * @throws {DaemonError} `failed_precondition` for a device, socket or pipe.
 */
export async function measureTree(path: string, signal: AbortSignal): Promise<TreeSize> {
  const size: TreeSize = { files: 0, bytes: 0 };
  await walk(path, 0, (stats) => {
    signal.throwIfAborted();
    size.files++;
    if (stats.isFile()) size.bytes += Number(stats.size);
  });
  return size;
}

/**
 * Copies a file, a link or a tree beside its target and gives it the target's name when it is
 * whole; after a failure nothing of it is left. Links are copied as links and never followed.
 *
 * @throws {DaemonError} with the system's name for what failed.
 */
export async function copyTree(source: string, target: string, init: TreeCopyInit): Promise<void> {
  const { temp } = init;
  try {
    await copyEntry(source, temp, init, 0);
    init.signal.throwIfAborted();
    await place(temp, target, init.isReplacing);
    if (init.isSynced) await syncFolder(dirname(target));
  } catch (failure) {
    await rm(temp, { recursive: true, force: true }).catch(() => undefined);
    throw fileError(`copy "${source}" to "${target}"`, failure);
  }
}

/** Renames, without replacing anything unless asked. */
export async function moveByRename(
  source: string,
  target: string,
  isReplacing: boolean,
): Promise<void> {
  try {
    if (!isReplacing) await checkFree(target);
    await rename(source, target);
  } catch (failure) {
    throw fileError(`move "${source}" to "${target}"`, failure);
  }
}

/** Removes a tree of which a verified copy exists; what appeared in it meanwhile stays. */
export async function removeCopied(source: string, copy: string): Promise<void> {
  const stats = await lstat(source, { bigint: true });
  if (!stats.isDirectory()) {
    if (!isSameContent(stats, await lstat(copy, { bigint: true }))) {
      throw new DaemonError("aborted", `Cannot remove "${source}": it changed while it was moved`);
    }
    return await unlink(source);
  }
  for await (const { name } of await opendir(copy)) {
    await removeCopied(join(source, name), join(copy, name)).catch((failure) => {
      if (systemCode(failure) !== "ENOENT") throw failure;
    });
  }
  await rmdir(source);
}

// Times are copied, so a source that was written to later shows.
function isSameContent(source: BigIntStats, copy: BigIntStats): boolean {
  if (source.isSymbolicLink()) return copy.isSymbolicLink();
  const apart = source.mtimeMs - copy.mtimeMs;
  return copy.isFile() && source.size === copy.size && apart >= -TIME_STEP_MS &&
    apart <= TIME_STEP_MS;
}

async function copyEntry(
  source: string,
  target: string,
  init: TreeCopyInit,
  depth: number,
): Promise<void> {
  init.signal.throwIfAborted();
  const stats = await checkedStats(source, depth);
  if (stats.isSymbolicLink()) return await symlink(await readlink(source), target);
  if (stats.isFile()) return await copyRegular(source, target, stats, init);
  await mkdir(target, { mode: 0o700 });
  for await (const { name } of await opendir(source)) {
    await copyEntry(join(source, name), join(target, name), init, depth + 1);
  }
  if (init.isSynced) await syncFolder(target);
  await copyMetadata(target, stats);
}

async function copyRegular(
  source: string,
  target: string,
  stats: BigIntStats,
  init: TreeCopyInit,
): Promise<void> {
  if (init.isCloned) {
    await copyFile(source, target);
    init.onBytes(Number(stats.size));
    if (init.isSynced) await syncFile(target);
  } else {
    await streamFile(source, target, init);
  }
  await copyMetadata(target, stats);
}

async function streamFile(source: string, target: string, init: TreeCopyInit): Promise<void> {
  const hash = init.isVerified ? createHash("sha256") : undefined;
  const from = await open(source, "r");
  try {
    const to = await open(target, "wx", 0o600);
    try {
      await pump(from, to, hash, init);
      if (init.isSynced) await to.sync();
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
  if (hash && await hashOf(target, init.signal) !== hash.digest("hex")) {
    throw new DaemonError("data_loss", `The copy of "${source}" does not read back as written`);
  }
}

async function pump(
  from: FileHandle,
  to: FileHandle,
  hash: Hash | undefined,
  { signal, onBytes }: TreeCopyInit,
): Promise<void> {
  const block = new Uint8Array(BLOCK_BYTES);
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await from.read(block, 0, BLOCK_BYTES, null);
    if (bytesRead === 0) return;
    const bytes = block.subarray(0, bytesRead);
    hash?.update(bytes);
    // One write may take fewer bytes than asked without an error, so it is repeated.
    for (let offset = 0; offset < bytesRead;) {
      const { bytesWritten } = await to.write(bytes, offset, bytesRead - offset);
      offset += bytesWritten;
    }
    onBytes(bytesRead);
  }
}

async function hashOf(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  const block = new Uint8Array(BLOCK_BYTES);
  const file = await open(path, "r");
  try {
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(block, 0, BLOCK_BYTES, null);
      if (bytesRead === 0) return hash.digest("hex");
      hash.update(block.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

// Rights without set-uid and the like, and times; the umask of the daemon is narrower than theirs.
async function copyMetadata(target: string, stats: BigIntStats): Promise<void> {
  await utimes(target, Number(stats.atimeMs) / 1_000, Number(stats.mtimeMs) / 1_000);
  if (process.platform !== "win32") await chmod(target, Number(stats.mode & 0o777n));
}

// A file is linked to its name, which fails if the name is taken; nothing else is that safe.
async function place(temp: string, target: string, isReplacing: boolean): Promise<void> {
  const isFile = (await lstat(temp)).isFile();
  if (isReplacing) return await rename(temp, target);
  if (isFile) {
    try {
      await link(temp, target);
      return await unlink(temp);
    } catch (failure) {
      const isUnsupported = ["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EMLINK"];
      if (!isUnsupported.includes(systemCode(failure) ?? "")) throw failure;
    }
  }
  await checkFree(target);
  await rename(temp, target);
}

async function checkFree(target: string): Promise<void> {
  try {
    await lstat(target);
  } catch (failure) {
    if (systemCode(failure) === "ENOENT") return;
    throw failure;
  }
  throw new DaemonError("already_exists", `Cannot write "${target}": it exists already`);
}

async function walk(
  path: string,
  depth: number,
  visit: (stats: BigIntStats) => void,
): Promise<void> {
  const stats = await checkedStats(path, depth);
  visit(stats);
  if (!stats.isDirectory()) return;
  for await (const entry of await opendir(path) as AsyncIterable<Dirent>) {
    await walk(join(path, entry.name), depth + 1, visit);
  }
}

async function checkedStats(path: string, depth: number): Promise<BigIntStats> {
  if (depth > MAX_DEPTH) {
    throw new DaemonError("failed_precondition", `Cannot copy "${path}": it lies too deep`);
  }
  const stats = await lstat(path, { bigint: true });
  if (stats.isFile() || stats.isDirectory() || stats.isSymbolicLink()) return stats;
  throw new DaemonError(
    "failed_precondition",
    `Cannot copy "${path}": it is neither a file, nor a folder, nor a link`,
  );
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

// Windows can neither open nor sync a folder; there the rename alone has to do.
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
