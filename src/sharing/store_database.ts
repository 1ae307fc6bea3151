/** The file of the library's index. */
import { renameSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { DaemonError, logger, messageOf } from "../core/mod.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS item(id TEXT PRIMARY KEY, version TEXT NOT NULL, sentinel INTEGER NOT NULL,
    size INTEGER NOT NULL, files INTEGER NOT NULL, installed INTEGER NOT NULL, fetched INTEGER NOT NULL,
    hashed INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS file(item TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL,
    mtime INTEGER NOT NULL, chunks BLOB NOT NULL, PRIMARY KEY(item, path)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS part(item TEXT NOT NULL, path TEXT NOT NULL, chunk INTEGER NOT NULL,
    hash BLOB NOT NULL, synced INTEGER NOT NULL, PRIMARY KEY(item, path, chunk)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS part_time(item TEXT NOT NULL, path TEXT NOT NULL, mtime INTEGER NOT NULL,
    PRIMARY KEY(item, path)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS about(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
`;

const log = logger("sharing");

// What was written survives kill -9; after a power cut the newest rows may be missing, never wrong.
/** Opens the file and checks it. @throws if it is damaged. */
export function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    database.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8192",
    );
    database.exec(SCHEMA);
    const [check] = database.prepare("PRAGMA quick_check(1)").all() as Record<string, unknown>[];
    if (check?.["quick_check"] !== "ok") throw new RangeError("the check of its pages failed");
    return database;
  } catch (failure) {
    database.close();
    throw failure;
  }
}

/**
 * Opens the file; a damaged one is put aside and begun anew.
 *
 * @throws {DaemonError} `resource_exhausted` on a full disk, `unavailable` if there can be no file at all.
 */
export function openSound(path: string): DatabaseSync {
  try {
    return openDatabase(path);
  } catch (error) {
    if (isForWantOfRoom(error)) {
      const message = `Cannot open ${path}: the disk is full; free space there`;
      throw new DaemonError("resource_exhausted", message, { cause: error });
    }
    if (isOutOfReach(error)) {
      const remedy = "see which program uses it and whether it may be read and written";
      const message = `Cannot open ${path}: ${messageOf(error)}; ${remedy}`;
      throw new DaemonError("unavailable", message, { cause: error });
    }
    log.warn("The library's index is damaged and is made anew", { path, error });
  }
  try {
    putAside(path);
    return openDatabase(path);
  } catch (cause) {
    throw new DaemonError("unavailable", `Cannot open ${path}: ${messageOf(cause)}`, { cause });
  }
}

/** Renames the file, so that another one can be made. */
export function putAside(path: string): void {
  for (const suffix of ["", "-wal", "-shm"]) {
    try {
      renameSync(`${path}${suffix}`, `${path}.damaged${suffix}`);
    } catch {
      // there was none
    }
  }
}

/** The disk is full. The runtime tells SQLite's errors by their text alone. */
export function isForWantOfRoom(error: unknown): boolean {
  return /database or disk is full|disk I\/O error/.test(messageOf(error));
}

/** Nothing is wrong with the file itself: it is in use, or nobody may open it now. */
export function isOutOfReach(error: unknown): boolean {
  return /locked|busy|unable to open|readonly|out of memory/i.test(messageOf(error));
}
