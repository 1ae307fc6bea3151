import { lstat, realpath, stat, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { DaemonError, systemCode } from "../core/mod.ts";
import { absolutePath, fileError, type FolderRules, isWithin } from "./folder_rules.ts";

/** How bytes get from a source to its target, contract 2.4. */
export type CopyMethod = "Auto" | "Atomic" | "Streaming";

/** What a caller asks for. */
export interface CopyRequest {
  readonly sources: readonly string[];
  /** A folder that is there, or for a single source the name of its copy. */
  readonly destination: string;
  readonly method: CopyMethod;
  readonly isMove: boolean;
  /** Replace a file that has the target's name; never a folder. */
  readonly isReplacing: boolean;
}

/** One source and what becomes of it. */
export interface CopyStep {
  readonly source: string;
  readonly target: string;
  /** `rename` touches no byte, `clone` shares blocks, `stream` reads and writes. */
  readonly how: "rename" | "clone" | "stream";
}

/**
 * File systems that share blocks between copies, by the `f_type` of statfs: Btrfs, XFS, bcachefs,
 * OCFS2 and ZFS on Linux (linux/magic.h and the ZFS sources), APFS on macOS. The runtime's copy
 * shares blocks there; elsewhere it would copy a whole file with no way to cancel.
 */
const CLONING: Readonly<Record<string, readonly number[]>> = {
  linux: [0x9123683e, 0x58465342, 0xca451a4e, 0x7461636f, 0x2fc12fc1],
  darwin: [0x1a],
};

/**
 * Decides what a copy does, and refuses what cannot be done, before anything is touched.
 *
 * @throws {DaemonError} `not_found`, `already_exists`, `invalid_argument`, `permission_denied`, or
 *   `failed_precondition` for an Atomic move to another volume.
 */
export async function planCopy(request: CopyRequest, folders: FolderRules): Promise<CopyStep[]> {
  const { folder, name } = await targetFolder(request);
  await folders.checkOutside(folder, "destination");
  const steps: CopyStep[] = [];
  const targets = new Set<string>();
  for (const given of request.sources) {
    const source = await realSource(given);
    await folders.checkOutside(source, "source");
    const target = join(folder, name ?? basename(source));
    if (targets.has(target)) throw refused(source, target, "two sources would have this name");
    targets.add(target);
    await checkPair(source, target, request);
    steps.push({ source, target, how: await howTo(source, target, folder, request) });
  }
  return steps;
}

/**
 * Refuses a copy for which the destination has no room.
 *
 * @throws {DaemonError} `resource_exhausted` with both figures.
 */
export async function checkRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = Number(bavail) * Number(bsize);
  if (bytes <= free) return;
  throw new DaemonError(
    "resource_exhausted",
    `Cannot copy to "${folder}": it takes ${bytes} bytes and ${free} are free (ENOSPC)` +
      "; free some space or choose another volume",
  );
}

// The destination is a folder that is there, or the name of the only source's copy.
async function targetFolder(
  { sources, destination }: CopyRequest,
): Promise<{ folder: string; name?: string }> {
  const path = absolutePath(destination, "destination");
  try {
    if ((await stat(path)).isDirectory()) return { folder: await realpath(path) };
  } catch (failure) {
    if (systemCode(failure) !== "ENOENT") throw fileError(`use destination "${path}"`, failure);
  }
  if (sources.length > 1) {
    throw new DaemonError(
      "invalid_argument",
      `Cannot copy ${sources.length} sources to "${path}": it is not a folder`,
    );
  }
  try {
    return { folder: await realpath(dirname(path)), name: basename(path) };
  } catch (failure) {
    throw fileError(`use destination "${path}"`, failure);
  }
}

// Its folder may be reached by links; the source itself must not be one.
async function realSource(given: string): Promise<string> {
  const path = absolutePath(given, "source");
  try {
    const real = join(await realpath(dirname(path)), basename(path));
    const stats = await lstat(real);
    if (stats.isFile() || stats.isDirectory()) return real;
    if (stats.isSymbolicLink()) {
      throw new DaemonError(
        "invalid_argument",
        `Cannot copy "${path}": it is a symbolic link; give what it points to`,
      );
    }
  } catch (failure) {
    throw fileError(`copy "${path}"`, failure);
  }
  throw new DaemonError(
    "invalid_argument",
    `Cannot copy "${path}": it is neither a file nor a folder`,
  );
}

async function checkPair(source: string, target: string, request: CopyRequest): Promise<void> {
  const from = await lstat(source, { bigint: true });
  const to = await lstat(target, { bigint: true }).catch((failure) => {
    if (systemCode(failure) === "ENOENT") return undefined;
    throw fileError(`copy "${source}" to "${target}"`, failure);
  });
  if (source === target || (to && to.ino === from.ino && to.dev === from.dev)) {
    throw refused(source, target, "both are the same");
  }
  if (from.isDirectory() && isWithin(target, source)) {
    throw refused(source, target, "the target is inside the source");
  }
  if (!to) return;
  if (request.isReplacing && to.isFile() && from.isFile()) return;
  const reason = "the target exists already";
  throw new DaemonError("already_exists", `Cannot copy "${source}" to "${target}": ${reason}`);
}

async function howTo(
  source: string,
  target: string,
  folder: string,
  { method, isMove }: CopyRequest,
): Promise<CopyStep["how"]> {
  const isSameVolume = (await lstat(source)).dev === (await lstat(folder)).dev;
  if (isMove && method === "Atomic" && !isSameVolume) {
    throw new DaemonError(
      "failed_precondition",
      `Cannot move "${source}" to "${target}" atomically: they are on different volumes` +
        "; use the method Auto or Streaming, which copy, verify and remove the source",
    );
  }
  if (method === "Streaming") return "stream";
  if (isMove && isSameVolume) return "rename";
  return isSameVolume && await canClone(folder) ? "clone" : "stream";
}

async function canClone(folder: string): Promise<boolean> {
  const types = CLONING[process.platform];
  if (!types) return false;
  const { type } = await statfs(folder);
  return types.includes(Number(type) >>> 0);
}

function refused(source: string, target: string, reason: string): DaemonError {
  return new DaemonError("invalid_argument", `Cannot copy "${source}" to "${target}": ${reason}`);
}
