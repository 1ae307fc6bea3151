import { lstat, mkdir, realpath } from "node:fs/promises";
import { dirname, isAbsolute, parse, relative, resolve, sep } from "node:path";
import { DaemonError, messageOf, systemCode } from "../core/mod.ts";

/** Longest path that is accepted, in UTF-16 units; the systems' own limits are lower or equal. */
export const MAX_PATH_LENGTH = 4_096;

/**
 * Checks the form of a path given by a caller, whose working folder is not the daemon's.
 *
 * @param what A noun phrase for the error, such as `source`.
 * @returns The path without `.`, `..` and trailing separators.
 * @throws {DaemonError} `invalid_argument` for a relative, empty or overlong path, or one with NUL.
 */
export function absolutePath(path: string, what: string): string {
  const shown = JSON.stringify(path.slice(0, 200));
  if (path.includes("\0")) throw unusable(`${what} ${shown}`, "it holds a NUL character");
  if (path.length > MAX_PATH_LENGTH) {
    throw unusable(`${what} ${shown}…`, `it is longer than ${MAX_PATH_LENGTH} characters`);
  }
  if (!isAbsolute(path)) throw unusable(`${what} ${shown}`, "it is not an absolute path");
  return resolve(path);
}

/** Whether a path is a folder or anything below it; both absolute. */
export function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

/** Keeps callers' folders and the daemon's own apart. */
export class FolderRules {
  readonly #base: string;
  readonly #shared: string;

  /**
   * @param base The daemon's base folder, with its identity, tokens and logs.
   * @param shared The one folder below it that holds users' files.
   */
  constructor(base: string, shared: string) {
    this.#base = resolve(base);
    this.#shared = resolve(shared);
  }

  /**
   * Refuses the daemon's own files: nobody copies its keys, or writes over them, by an operation.
   *
   * @param path With every symbolic link resolved.
   * @throws {DaemonError} `permission_denied`.
   */
  async checkOutside(path: string, what: string): Promise<void> {
    const base = await existing(this.#base);
    const shared = await existing(this.#shared);
    if (!isWithin(path, base) || isWithin(path, shared)) return;
    throw new DaemonError(
      "permission_denied",
      `Cannot use ${what} "${path}": it belongs to the daemon itself (${base})`,
    );
  }

  /**
   * A folder that is to hold users' files: real, outside the daemon's own and not around them.
   *
   * @returns Its path with every symbolic link resolved.
   * @throws {DaemonError} `not_found`, `invalid_argument` or `permission_denied`.
   */
  async usableFolder(path: string, what: string): Promise<string> {
    const real = await realFolder(absolutePath(path, what), what);
    await this.checkOutside(real, what);
    if (real === parse(real).root) throw unusable(`${what} "${real}"`, "it is a whole volume");
    if (isWithin(await existing(this.#base), real)) {
      throw unusable(`${what} "${real}"`, `the daemon's own folder ${this.#base} is inside it`);
    }
    return real;
  }

  /** As {@link FolderRules.usableFolder}, but the folder is made if it is not there. */
  async makeFolder(path: string, what: string): Promise<string> {
    const wanted = absolutePath(path, what);
    await this.checkOutside(await existing(wanted), what);
    try {
      await mkdir(wanted, { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw fileError(`make ${what} "${wanted}"`, cause);
    }
    return await this.usableFolder(wanted, what);
  }
}

/** A failure of the file system in our words, the system's name for it included. */
export function fileError(what: string, cause: unknown): DaemonError {
  if (cause instanceof DaemonError) return cause;
  if (cause instanceof Deno.errors.NotCapable) {
    const why = "it belongs to the system, and the daemon gave up its rights to it";
    return new DaemonError("permission_denied", `Cannot ${what}: ${why}`, { cause });
  }
  const name = systemCode(cause);
  const code = name === "ENOSPC" || name === "EDQUOT" || name === "EMFILE" || name === "ENFILE"
    ? "resource_exhausted"
    : name === "ENOENT"
    ? "not_found"
    : name === "EACCES" || name === "EPERM" || name === "EROFS"
    ? "permission_denied"
    : name === "EEXIST" || name === "ENOTEMPTY"
    ? "already_exists"
    : name === "EIO"
    ? "data_loss"
    : "failed_precondition";
  const message = messageOf(cause);
  const named = name && !message.includes(name) ? `${name}: ${message}` : message;
  return new DaemonError(code, `Cannot ${what}: ${named}`, { cause });
}

async function realFolder(path: string, what: string): Promise<string> {
  try {
    const real = await realpath(path);
    if ((await lstat(real)).isDirectory()) return real;
  } catch (cause) {
    throw fileError(`use ${what} "${path}"`, cause);
  }
  throw unusable(`${what} "${path}"`, "it is not a folder");
}

// The real path of what is there already; the rest of the path stays as it is.
async function existing(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : resolve(await existing(parent), relative(parent, path));
  }
}

function unusable(what: string, reason: string): DaemonError {
  return new DaemonError("invalid_argument", `Cannot use ${what}: ${reason}`);
}
