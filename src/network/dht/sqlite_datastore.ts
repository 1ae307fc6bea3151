import { BaseDatastore } from "datastore-core";
import { Key, type KeyQuery, type Pair, type Query } from "interface-datastore";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { NotFoundError } from "@libp2p/interface";

/** Records and providers kept; any peer may send some, so the oldest make room. */
const MAX_DHT_ROWS = 50_000;
/** Bytes of values kept. */
const MAX_DHT_BYTES = 256 * 1024 * 1024;
/** The same where they are kept in memory. */
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;
/** Writes between two looks at the limits. */
const SWEEP_EVERY = 256;

/** What of the DHT is kept. */
export interface DhtLimits {
  /** Records and providers. */
  readonly rows: number;
  /** Of their values. */
  readonly bytes: number;
}

/**
 * libp2p's datastore in one SQLite file, or in memory. Bounded: what peers may add without end is
 * dropped oldest first.
 */
export class SqliteDatastore extends BaseDatastore {
  readonly #database: DatabaseSync;
  readonly #statements: Record<"put" | "get" | "has" | "delete" | "range" | "keys", StatementSync>;
  readonly #limits: DhtLimits;
  #writes = 0;
  /** Bytes written since the last look at the limits. */
  #unswept = 0;

  /** @param path Of the file; `:memory:` for none. */
  constructor(path: string, limits: DhtLimits = defaultLimits(path)) {
    super();
    this.#limits = limits;
    this.#database = new DatabaseSync(path);
    this.#database.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000; " +
        "CREATE TABLE IF NOT EXISTS entries " +
        "(key TEXT PRIMARY KEY, value BLOB NOT NULL, written INTEGER NOT NULL)",
    );
    const prepare = (sql: string) => this.#database.prepare(sql);
    this.#statements = {
      put: prepare(
        "INSERT INTO entries (key, value, written) VALUES (?, ?, ?) " +
          "ON CONFLICT (key) DO UPDATE SET value = excluded.value, written = excluded.written",
      ),
      get: prepare("SELECT value FROM entries WHERE key = ?"),
      has: prepare("SELECT 1 FROM entries WHERE key = ?"),
      delete: prepare("DELETE FROM entries WHERE key = ?"),
      range: prepare("SELECT key, value FROM entries WHERE key >= ? AND key < ? ORDER BY key"),
      keys: prepare("SELECT key FROM entries WHERE key >= ? AND key < ? ORDER BY key"),
    };
  }

  /** Closes the file; nothing may follow. */
  close(): void {
    this.#database.close();
  }

  override put(key: Key, value: Uint8Array): Key {
    this.#statements.put.run(key.toString(), value, Date.now());
    this.#unswept += value.byteLength;
    const isMuch = this.#unswept > this.#limits.bytes / 8;
    if (++this.#writes % SWEEP_EVERY === 0 || isMuch) this.#sweep();
    return key;
  }

  override get(key: Key): Uint8Array {
    const row = this.#statements.get.get(key.toString());
    if (!row) throw new NotFoundError(`No entry ${key}`);
    return row["value"] as Uint8Array;
  }

  override has(key: Key): boolean {
    return this.#statements.has.get(key.toString()) !== undefined;
  }

  override delete(key: Key): void {
    this.#statements.delete.run(key.toString());
  }

  override async *_all(query: Query): AsyncGenerator<Pair> {
    const prefix = query.prefix ?? "/";
    for (const row of this.#statements.range.all(prefix, `${prefix}\u{10ffff}`)) {
      yield { key: new Key(String(row["key"]), false), value: row["value"] as Uint8Array };
    }
  }

  override async *_allKeys(query: KeyQuery): AsyncGenerator<Key> {
    const prefix = query.prefix ?? "/";
    for (const row of this.#statements.keys.all(prefix, `${prefix}\u{10ffff}`)) {
      yield new Key(String(row["key"]), false);
    }
  }

  #sweep(): void {
    this.#unswept = 0;
    while (this.#dropSurplus());
  }

  #dropSurplus(): boolean {
    const inDht = "key >= '/dht/' AND key < '/dht0'";
    const [totals] = this.#database.prepare(
      `SELECT count(*) AS rows, total(length(value)) AS bytes FROM entries WHERE ${inDht}`,
    ).all();
    const { rows, bytes } = { rows: Number(totals?.["rows"]), bytes: Number(totals?.["bytes"]) };
    const limits = this.#limits;
    const share = bytes > limits.bytes ? Math.ceil(rows / 4) : 0;
    const surplus = Math.max(rows - limits.rows, share);
    if (surplus <= 0) return false;
    this.#database.prepare(
      `DELETE FROM entries WHERE key IN ` +
        `(SELECT key FROM entries WHERE ${inDht} ORDER BY written, rowid LIMIT ?)`,
    ).run(surplus);
    return true;
  }
}

function defaultLimits(path: string): DhtLimits {
  return { rows: MAX_DHT_ROWS, bytes: path === ":memory:" ? MAX_MEMORY_BYTES : MAX_DHT_BYTES };
}
