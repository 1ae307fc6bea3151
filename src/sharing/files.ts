/** The file system as the shared library sees it: a port, so that tests can fail or kill at every step. */
import { constants } from "node:fs";
import * as fs from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { DaemonError, messageOf, systemCode } from "../core/mod.ts";
import { BULK_BYTES, BulkFile } from "./bulk_file.ts";
import type { ChunkThread } from "./chunk_thread.ts";
import { DirectFile } from "./direct_file.ts";

/** What a path is, symbolic links not followed. */
export interface FileFacts {
  readonly kind: "file" | "folder" | "other";
  readonly size: number;
  readonly mtimeMs: number;
  /** Names of the file: more than one for a file with hard links. */
  readonly links: number;
}

/** One name in a folder. */
export interface FolderEntry {
  readonly name: string;
  readonly kind: FileFacts["kind"];
}

/** An open file. */
export interface OpenFile {
  /** Bytes read at the position; fewer only at the end of the file. */
  read(buffer: Uint8Array, position: number): Promise<number>;
  /** Writes all bytes at the position. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Makes the file this long; bytes that stay keep their content. */
  truncate(size: number): Promise<void>;
  sync(): Promise<void>;
  facts(): Promise<FileFacts>;
  close(): Promise<void>;
}

/** How a file is opened: `update` makes a missing file and keeps the bytes of one that exists. */
export type OpenMode = "read" | "update" | "replace" | "new";

/** How a file is opened besides its mode. */
export interface OpenOptions {
  /** Of a file that is made. */
  readonly executable?: boolean;
  /** Large pieces of shared memory are written by this thread and past the system's cache. */
  readonly thread?: ChunkThread | undefined;
}

/** Everything the shared library does to disks. Failures are the operating system's errors. */
export interface Files {
  /** Undefined when nothing is there. */
  facts(path: string): Promise<FileFacts | undefined>;
  list(path: string): Promise<FolderEntry[]>;
  open(path: string, mode: OpenMode, options?: OpenOptions): Promise<OpenFile>;
  /** One folder; its parent must exist, it must not. */
  makeFolder(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  removeFile(path: string): Promise<void>;
  /** An empty one. */
  removeFolder(path: string): Promise<void>;
  /** Makes names in the folder last. */
  syncFolder(path: string): Promise<void>;
  /** Bytes that may be written below the path. */
  freeBytes(path: string): Promise<number>;
}

const FLAGS: Readonly<Record<OpenMode, number>> = {
  // A pipe in the place of a file is not waited for.
  read: constants.O_RDONLY | (constants.O_NONBLOCK ?? 0),
  update: constants.O_RDWR | constants.O_CREAT,
  replace: constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC,
  new: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};
// A link that somebody put in the way of a file must not be followed.
const NO_FOLLOW = process.platform === "win32" ? 0 : constants.O_NOFOLLOW;

/** The machine's disks. */
export const systemFiles: Files = {
  async facts(path) {
    try {
      return factsOf(await fs.lstat(path));
    } catch (failure) {
      if (isMissing(failure)) return undefined;
      throw failure;
    }
  },
  async list(path) {
    const entries = await fs.readdir(path, { withFileTypes: true });
    return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
  },
  async open(path, mode, { executable = false, thread } = {}) {
    const handle = await fs.open(path, FLAGS[mode] | NO_FOLLOW, executable ? 0o755 : 0o644);
    const direct = thread && new DirectFile(thread, handle, path);
    return openFile(handle, new BulkFile(handle, path, mode !== "read"), direct);
  },
  makeFolder: (path) => fs.mkdir(path, { mode: 0o755 }).then(() => undefined),
  rename: (from, to) => fs.rename(from, to),
  removeFile: (path) => fs.unlink(path),
  removeFolder: (path) => fs.rmdir(path),
  async syncFolder(path) {
    if (process.platform === "win32") return; // it can neither open nor sync a folder
    const handle = await fs.open(path, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async freeBytes(path) {
    const { bavail, bsize } = await fs.statfs(path);
    return Number(bavail) * Number(bsize);
  },
};

function openFile(handle: fs.FileHandle, bulk: BulkFile, direct?: DirectFile): OpenFile {
  return {
    async read(buffer, position) {
      if (buffer.byteLength >= BULK_BYTES) {
        const count = await bulk.read(buffer, position);
        if (count !== undefined) return count;
      }
      let filled = 0;
      while (filled < buffer.byteLength) {
        const left = buffer.byteLength - filled;
        const { bytesRead } = await handle.read(buffer, filled, left, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled;
    },
    async write(bytes, position) {
      let done = await direct?.write(bytes, position) ?? 0;
      const isBulk = done === 0 && bytes.byteLength >= BULK_BYTES;
      if (isBulk && await bulk.write(bytes, position)) return;
      for (; done < bytes.byteLength;) {
        const left = bytes.byteLength - done;
        const { bytesWritten } = await handle.write(bytes, done, left, position + done);
        done += bytesWritten;
      }
    },
    truncate: (size) => handle.truncate(size),
    sync: () => handle.sync(),
    facts: async () => factsOf(await handle.stat()),
    close: async () => {
      try {
        await direct?.close();
        await bulk.close();
      } finally {
        await handle.close();
      }
    },
  };
}

interface Kinds {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

function kindOf(entry: Kinds): FileFacts["kind"] {
  if (entry.isSymbolicLink()) return "other";
  return entry.isFile() ? "file" : entry.isDirectory() ? "folder" : "other";
}

function factsOf(
  stat: Kinds & { size: number; mtimeMs: number; nlink: number | null },
): FileFacts {
  const { size, mtimeMs, nlink } = stat;
  return { kind: kindOf(stat), size, mtimeMs: Math.floor(mtimeMs), links: nlink ?? 1 };
}

/** Whether a failure says that nothing is at a path. */
export function isMissing(failure: unknown): boolean {
  const code = systemCode(failure);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** A whole file. @returns Undefined when there is none. @throws {DaemonError} `data_loss` when it is longer. */
export async function readWhole(
  files: Files,
  path: string,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const facts = await files.facts(path);
  if (facts?.kind !== "file") return undefined;
  if (facts.size > maxBytes) {
    throw new DaemonError("data_loss", `Cannot read ${path}: it is longer than ${maxBytes} bytes`);
  }
  const file = await files.open(path, "read");
  try {
    const bytes = new Uint8Array(facts.size);
    return bytes.subarray(0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
}

/** Writes a file that lasts under a name that nobody reads yet. */
export async function writeSynced(files: Files, path: string, bytes: Uint8Array): Promise<void> {
  const file = await files.open(path, "replace");
  try {
    await file.write(bytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Replaces a file so that a crash leaves the old content or the new: write aside, sync, rename, sync the folder. */
export async function replaceFile(
  files: Files,
  path: string,
  temp: string,
  bytes: Uint8Array,
): Promise<void> {
  try {
    await writeSynced(files, temp, bytes);
    await files.rename(temp, path);
  } catch (failure) {
    await files.removeFile(temp).catch(() => undefined);
    throw failure;
  }
  await files.syncFolder(dirname(path));
}

/** Removes a file that may be missing. @returns Whether it was there. */
export async function removeIfThere(files: Files, path: string): Promise<boolean> {
  try {
    await files.removeFile(path);
    return true;
  } catch (failure) {
    if (isMissing(failure)) return false;
    throw failure;
  }
}

/**
 * Removes a folder and everything in it; links are removed, never followed.
 *
 * @param last Name in the folder that goes after everything else: a mark must outlive what it marks.
 */
export async function removeTree(files: Files, path: string, last?: string): Promise<void> {
  for (const { name, kind } of await files.list(path)) {
    if (name === last) continue;
    if (kind === "folder") await removeTree(files, join(path, name));
    else await files.removeFile(join(path, name));
  }
  if (last !== undefined) await removeIfThere(files, join(path, last));
  await files.removeFolder(path);
}

/** Whether every folder between `root` and a path is one, and no link to elsewhere. */
export async function isPlainBelow(files: Files, root: string, path: string): Promise<boolean> {
  let at = root;
  for (const name of path.split("/").slice(0, -1)) {
    at = join(at, name);
    if ((await files.facts(at))?.kind !== "folder") return false;
  }
  return true;
}

/** Makes a folder and its missing parents below `root`; refuses what is there and no folder. */
export async function makeFolders(files: Files, root: string, path: string): Promise<void> {
  let at = root;
  for (const name of path.split("/").filter(Boolean)) {
    at = join(at, name);
    const facts = await files.facts(at);
    if (facts?.kind === "folder") continue;
    if (facts) {
      throw new DaemonError("failed_precondition", `Cannot make the folder ${at}: a file is there`);
    }
    await files.makeFolder(at);
  }
}

/** A failing disk in the daemon's words, naming what was done. */
export function diskError(what: string, failure: unknown): DaemonError {
  if (failure instanceof DaemonError) return failure;
  if (failure instanceof Error && failure.name === "AbortError") {
    return new DaemonError("cancelled", `Cannot ${what}: it was cancelled`, { cause: failure });
  }
  const isFull = ["ENOSPC", "EDQUOT"].includes(systemCode(failure) ?? "");
  const remedy = isFull ? "; free disk space and try again" : "";
  return new DaemonError(
    isFull ? "resource_exhausted" : "unavailable",
    `Cannot ${what}: ${messageOf(failure)}${remedy}`,
    { cause: failure },
  );
}
