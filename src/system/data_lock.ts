import { mkdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { DaemonError, messageOf, systemCode } from "../core/mod.ts";
import { FLAGS_FILE } from "./noted_flags.ts";

/** The folders a lock needs. */
export interface LockedFolders {
  /** The data folder, for messages. */
  readonly base: string;
  /** Where lock and pid stand. */
  readonly daemon: string;
}

/** Another daemon owns the data folder. */
export class AlreadyRunningError extends DaemonError {
  /** @param pid Of the running daemon; undefined if it has not written it yet. */
  constructor(readonly pid: number | undefined, base: string) {
    super(
      "already_exists",
      `Cannot start in ${base}: already running${pid ? ` as pid ${pid}` : ""}` +
        "; stop it, or give another folder with --data-dir",
    );
  }
}

const ATTEMPTS = 5;

/**
 * One owner a data folder: an exclusive lock of the operating system, which ends with the process
 * however it dies, so a crash leaves nothing to clean by hand.
 */
export class DataLock {
  readonly #dirs: LockedFolders;
  #file: Deno.FsFile | undefined;

  constructor(dirs: LockedFolders) {
    this.#dirs = dirs;
  }

  /**
   * Takes the lock and writes the pid beside it. Nothing else is touched before.
   *
   * @throws {AlreadyRunningError} if another daemon holds it.
   * @throws {DaemonError} `permission_denied` if the folder cannot be written.
   */
  acquire(): void {
    try {
      mkdirSync(this.#dirs.daemon, { recursive: true, mode: 0o700 });
      for (let attempt = 0; attempt < ATTEMPTS && !this.#file; attempt++) {
        this.#file = this.#tryOnce();
      }
    } catch (failure) {
      if (failure instanceof DaemonError) throw failure;
      throw unusableFolder(this.#dirs.base, failure);
    }
    if (!this.#file) throw new AlreadyRunningError(readPid(this.#dirs), this.#dirs.base);
    this.#writePid();
  }

  /** Removes the pid and lock files and gives the folder free; safe to call twice. */
  release(): void {
    if (!this.#file) return;
    removeIfThere(join(this.#dirs.daemon, "daemon.pid"));
    removeIfThere(join(this.#dirs.daemon, FLAGS_FILE));
    removeIfThere(join(this.#dirs.daemon, "daemon.lock")); // still locked: nobody can own it now
    this.#file.close();
    this.#file = undefined;
  }

  #tryOnce(): Deno.FsFile | undefined {
    const path = join(this.#dirs.daemon, "daemon.lock");
    const file = Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
    if (!file.tryLockSync(true)) {
      file.close();
      throw new AlreadyRunningError(readPid(this.#dirs), this.#dirs.base);
    }
    if (isStillAt(path, file)) return file;
    file.close(); // its last owner removed it between our open and our lock: try the new file
    return undefined;
  }

  #writePid(): void {
    try {
      writeFileSync(join(this.#dirs.daemon, "daemon.pid"), `${process.pid}\n`, { mode: 0o600 });
    } catch (failure) {
      this.release();
      throw unusableFolder(this.#dirs.base, failure);
    }
  }
}

/**
 * Makes the folders of a data folder that are not there yet, for this user alone.
 *
 * @throws {DaemonError} `permission_denied`, or `resource_exhausted` on a full disk.
 */
export function makeFolders(base: string, folders: readonly string[]): void {
  try {
    for (const folder of folders) mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (failure) {
    throw unusableFolder(base, failure);
  }
}

/** The pid in a data folder's pid file, whether or not that process still lives. */
export function readPid(dirs: LockedFolders): number | undefined {
  try {
    const pid = Number(readFileSync(join(dirs.daemon, "daemon.pid"), "utf8").trim());
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether a process holds the lock of a data folder. A daemon that starts in the very moment of
 * the question could find its lock taken, so this asks only where a pid file stands: one that
 * starts from a clean folder has no pid file before it has its lock.
 */
export function isLocked(dirs: LockedFolders): boolean {
  if (readPid(dirs) === undefined) return false;
  try {
    using file = Deno.openSync(join(dirs.daemon, "daemon.lock"), { read: true, write: true });
    if (!file.tryLockSync(false)) return true;
    file.unlockSync();
    return false;
  } catch {
    return false; // no lock file: nobody runs there
  }
}

function isStillAt(path: string, file: Deno.FsFile): boolean {
  if (process.platform === "win32") return true; // an open file cannot be removed there
  const now = statSync(path, { throwIfNoEntry: false });
  return now !== undefined && now.ino === file.statSync().ino;
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (failure) {
    // Windows refuses to remove the locked file; the next start takes it over.
    if (systemCode(failure) !== "ENOENT" && process.platform !== "win32") throw failure;
  }
}

function unusableFolder(base: string, cause: unknown): DaemonError {
  return new DaemonError(
    systemCode(cause) === "ENOSPC" ? "resource_exhausted" : "permission_denied",
    `Cannot use data folder ${base}: ${messageOf(cause)}` +
      "; make it writable for this user and free disk space, or give another with --data-dir",
    { cause },
  );
}
