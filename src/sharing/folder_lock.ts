import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { DaemonError, logger, messageOf } from "../core/mod.ts";

/** Windows locks files alone. */
const LOCK_FILE = ".almenad.lock";
const log = logger("sharing");

/**
 * One library a folder: two daemons that fetch or install into the same items would mix versions. A
 * lock of the operating system, on the folder itself, which ends with the process.
 */
export class FolderLock implements Disposable {
  #file: Deno.FsFile | undefined;

  /**
   * Makes the folder if need be and takes its lock. A file system without locks does without.
   *
   * @throws {DaemonError} `failed_precondition` if another library has it.
   */
  constructor(dir: string) {
    mkdirSync(dir, { recursive: true });
    let isFree: boolean;
    try {
      this.#file = openLockable(dir);
      isFree = this.#file.tryLockSync(true);
    } catch (error) {
      this[Symbol.dispose]();
      log.debug("The library's folder cannot be locked", { dir, reason: messageOf(error) });
      return;
    }
    if (isFree) return;
    this[Symbol.dispose]();
    throw new DaemonError(
      "failed_precondition",
      `Cannot use ${dir}: another almenad uses it as its library; stop that one, or give this one ` +
        "another folder",
    );
  }

  /** Gives the folder free; safe to call twice. */
  [Symbol.dispose](): void {
    this.#file?.close();
    this.#file = undefined;
  }
}

function openLockable(dir: string): Deno.FsFile {
  if (process.platform !== "win32") return Deno.openSync(dir, { read: true });
  return Deno.openSync(join(dir, LOCK_FILE), { read: true, write: true, create: true });
}
