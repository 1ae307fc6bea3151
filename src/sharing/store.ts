/**
 * The index of the shared library on disk: what was found in each item's folder and which hashes
 * belong to it, so that an unchanged item is never read again. A cache: losing it costs a new hash.
 */
import { existsSync } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { fileOfFolder, keepLatest } from "./folder_files.ts";
import { openSound } from "./store_database.ts";

/** One file as it was hashed. */
export interface IndexedFile {
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
  /** 32 bytes a chunk. */
  readonly chunks: Uint8Array;
}

/** An item as it was last seen. */
export interface IndexedItem {
  readonly id: string;
  readonly version: string;
  readonly sentinelMtimeMs: number;
  readonly size: number;
  readonly files: number;
  readonly installed: boolean;
  /** Fetched from peers: only the files they named belong to it. */
  readonly isFetched: boolean;
  /** Every file has its hashes. */
  readonly isHashed: boolean;
  /** Its manifest is longer than peers accept. @default false */
  readonly isTooLong?: boolean;
}

/** A chunk of an unfinished download that is on disk. */
export interface StoredChunk {
  readonly path: string;
  readonly chunk: number;
  readonly hash: Uint8Array;
  /** Synced to disk; others are read once more before they count. */
  readonly isSynced: boolean;
}

const LAYOUT = "1";

type Row = Record<string, string | number | bigint | Uint8Array | null>;

/** SQLite below `data/`; every call is short. */
export class IndexStore {
  readonly #database: DatabaseSync;
  #items: Map<string, IndexedItem> | undefined;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /**
   * Opens the file, or one beside it if it speaks of another folder; a damaged one is put aside and
   * begun anew.
   *
   * @param libraryDir The folder the index speaks of.
   * @throws {DaemonError} `resource_exhausted` on a full disk, `unavailable` if there can be no file at all.
   */
  static open(path: string, libraryDir: string): IndexStore {
    const own = fileOfFolder(path, libraryDir);
    let store = new IndexStore(openSound(existsSync(own) ? own : path));
    if (![undefined, libraryDir].includes(store.#about("dir"))) {
      store.close();
      store = new IndexStore(openSound(own));
    }
    store.#belongTo(libraryDir);
    if (existsSync(own)) keepLatest(own);
    return store;
  }

  /** Closes the file; safe to call twice. */
  close(): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  /** Runs several changes as one. */
  together(change: () => void): void {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      change();
      this.#database.exec("COMMIT");
    } catch (failure) {
      this.#items = undefined;
      try {
        this.#database.exec("ROLLBACK");
      } catch {
        // a full disk has ended the transaction already
      }
      throw failure;
    }
  }

  /** Every item, in no order. */
  items(): IndexedItem[] {
    return [...this.#known().values()];
  }

  /** One item. */
  item(id: string): IndexedItem | undefined {
    return this.#known().get(id);
  }

  /** Adds or replaces an item; its files stay as they are. */
  putItem(item: IndexedItem): void {
    this.#run(
      "INSERT OR REPLACE INTO item VALUES(?,?,?,?,?,?,?,?)",
      ...[item.id, item.version, item.sentinelMtimeMs, item.size, item.files],
      ...[Number(item.installed), Number(item.isFetched)],
      Number(item.isHashed) | Number(item.isTooLong ?? false) << 1,
    );
    this.#items?.set(item.id, item);
  }

  /** Forgets an item and its files. */
  removeItem(id: string): void {
    this.#run("DELETE FROM item WHERE id = ?", id);
    this.#items?.delete(id);
    this.#run("DELETE FROM file WHERE item = ?", id);
  }

  /** Files of an item, by path; as many as are wanted after a path, to read long lists in slices. */
  files(id: string, after = "", limit = -1): IndexedFile[] {
    const rows = this.#all(
      "SELECT * FROM file WHERE item = ? AND path > ? ORDER BY path LIMIT ?",
      ...[id, after, limit],
    );
    return rows.map(fileOf);
  }

  /** Files of an item without their hashes. */
  fileFacts(id: string): Map<string, Pick<IndexedFile, "size" | "mtimeMs">> {
    const facts = new Map<string, Pick<IndexedFile, "size" | "mtimeMs">>();
    const sql = "SELECT path, size, mtime FROM file WHERE item = ?";
    for (const { path, size, mtime } of this.#all(sql, id)) {
      facts.set(String(path), { size: Number(size), mtimeMs: Number(mtime) });
    }
    return facts;
  }

  /** One file of an item. */
  file(id: string, path: string): IndexedFile | undefined {
    const row = this.#get("SELECT * FROM file WHERE item = ? AND path = ?", id, path);
    return row && fileOf(row);
  }

  /** Adds or replaces a file. */
  putFile(id: string, { path, size, mtimeMs, chunks }: IndexedFile): void {
    this.#run("INSERT OR REPLACE INTO file VALUES(?,?,?,?,?)", id, path, size, mtimeMs, chunks);
  }

  /** Forgets a file. */
  removeFile(id: string, path: string): void {
    this.#run("DELETE FROM file WHERE item = ? AND path = ?", id, path);
  }

  /** What is on disk of an unfinished download. */
  parts(id: string): StoredChunk[] {
    return this.#all("SELECT * FROM part WHERE item = ?", id).map((row) => ({
      path: String(row["path"]),
      chunk: Number(row["chunk"]),
      hash: row["hash"] as Uint8Array,
      isSynced: row["synced"] === 1,
    }));
  }

  /** How many chunks of an unfinished download are on disk. */
  countParts(id: string): number {
    return Number(this.#get("SELECT count(*) AS n FROM part WHERE item = ?", id)?.["n"] ?? 0);
  }

  /** Notes chunks of an unfinished download. */
  putParts(id: string, parts: readonly StoredChunk[]): void {
    const sql = "INSERT OR REPLACE INTO part VALUES(?,?,?,?,?)";
    this.together(() => {
      for (const { path, chunk, hash, isSynced } of parts) {
        this.#run(sql, id, path, chunk, hash, Number(isSynced));
      }
    });
  }

  /** Chunks whose bytes the disk may have lost are fetched anew. */
  dropParts(id: string, parts: readonly StoredChunk[]): void {
    this.together(() => {
      for (const { path, chunk } of parts) {
        this.#run("DELETE FROM part WHERE item = ? AND path = ? AND chunk = ?", id, path, chunk);
      }
    });
  }

  /** When files of an unfinished download were written last, as far as it is known. */
  partTimes(id: string): Map<string, number> {
    const rows = this.#all("SELECT * FROM part_time WHERE item = ?", id);
    return new Map(rows.map((row) => [String(row["path"]), Number(row["mtime"])]));
  }

  /** Notes when files of an unfinished download were written last. */
  putPartTimes(id: string, times: ReadonlyMap<string, number>): void {
    const sql = "INSERT OR REPLACE INTO part_time VALUES(?,?,?)";
    this.together(() => times.forEach((mtimeMs, path) => this.#run(sql, id, path, mtimeMs)));
  }

  /** Forgets an unfinished download, or one file of it. */
  removeParts(id: string, path?: string): void {
    for (const table of ["part", "part_time"]) {
      if (path === undefined) this.#run(`DELETE FROM ${table} WHERE item = ?`, id);
      else this.#run(`DELETE FROM ${table} WHERE item = ? AND path = ?`, id, path);
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.#items = undefined;
    for (const table of ["item", "file", "part", "part_time"]) {
      this.#database.exec(`DELETE FROM ${table}`);
    }
  }

  // A scan asks for each of ten thousand items.
  #known(): Map<string, IndexedItem> {
    this.#items ??= new Map(
      this.#all("SELECT * FROM item").map((row) => [String(row["id"]), itemOf(row)]),
    );
    return this.#items;
  }

  #about(key: string): string | undefined {
    const value = this.#get("SELECT value FROM about WHERE key = ?", key)?.["value"];
    return value === undefined ? undefined : String(value);
  }

  #belongTo(libraryDir: string): void {
    if (this.#about("dir") === libraryDir && this.#about("layout") === LAYOUT) return;
    this.together(() => {
      this.clear();
      this.#run("INSERT OR REPLACE INTO about VALUES('dir', ?)", libraryDir);
      this.#run("INSERT OR REPLACE INTO about VALUES('layout', ?)", LAYOUT);
    });
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }

  #all(sql: string, ...values: (string | number)[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }

  #get(sql: string, ...values: (string | number)[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined;
  }

  #run(sql: string, ...values: (string | number | Uint8Array)[]): void {
    this.#statement(sql).run(...values);
  }
}

function itemOf(row: Row): IndexedItem {
  return {
    id: String(row["id"]),
    version: String(row["version"]),
    sentinelMtimeMs: Number(row["sentinel"]),
    size: Number(row["size"]),
    files: Number(row["files"]),
    installed: row["installed"] === 1,
    isFetched: row["fetched"] === 1,
    isHashed: (Number(row["hashed"]) & 1) === 1,
    ...((Number(row["hashed"]) & 2) === 2 ? { isTooLong: true } : {}),
  };
}

function fileOf(row: Row): IndexedFile {
  return {
    path: String(row["path"]),
    size: Number(row["size"]),
    mtimeMs: Number(row["mtime"]),
    chunks: row["chunks"] as Uint8Array,
  };
}
