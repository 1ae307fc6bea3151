import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DaemonError, messageOf, systemCode, writeDurably } from "../core/mod.ts";

/** A folder that belongs to a library. */
export interface LocationEntry {
  readonly id: string;
  readonly path: string;
}

/** A library as it is kept. */
export interface LibraryEntry {
  readonly id: string;
  readonly name: string;
  readonly dir: string;
  readonly is_open: boolean;
  readonly locations: readonly LocationEntry[];
}

const TEXTS = ["id", "name", "dir"] as const;
/** Largest libraries.json that is read: every library and location at the longest path. */
const MAX_FILE_BYTES = 16 * 1_024 * 1_024;

/** `data/libraries.json`: which libraries there are, and their locations. */
export class LibraryFile {
  readonly path: string;

  /** @param folder The daemon's `data` folder. */
  constructor(folder: string) {
    this.path = join(folder, "libraries.json");
  }

  /**
   * What the file says; undefined when there is none yet.
   *
   * @throws {DaemonError} `data_loss` if it is damaged, naming the file and what to do.
   */
  async read(): Promise<LibraryEntry[] | undefined> {
    try {
      const text = await readFile(this.path, "utf8");
      if (text.length > MAX_FILE_BYTES) throw new RangeError("it is larger than any we write");
      return checked(JSON.parse(text));
    } catch (cause) {
      if (systemCode(cause) === "ENOENT") return undefined;
      throw this.#damaged(cause);
    }
  }

  /**
   * Replaces the file.
   *
   * @throws {DaemonError} `resource_exhausted` on a full disk, `unavailable` for another failure;
   *   what was there stays.
   */
  async write(libraries: readonly LibraryEntry[]): Promise<void> {
    try {
      await writeDurably(this.path, `${JSON.stringify({ libraries }, null, 2)}\n`);
    } catch (cause) {
      throw new DaemonError(
        systemCode(cause) === "ENOSPC" ? "resource_exhausted" : "unavailable",
        `Cannot write ${this.path}: ${messageOf(cause)}; free disk space and make it writable`,
        { cause },
      );
    }
  }

  #damaged(cause: unknown): DaemonError {
    return new DaemonError(
      "data_loss",
      `Cannot read ${this.path}: ${messageOf(cause).replaceAll("\n", " ")}` +
        "; put back a copy, or move the file away to begin with an empty default library",
      { cause },
    );
  }
}

// By hand, because every start reads this file, and making a schema takes longer than all its work.
function checked(json: unknown): LibraryEntry[] {
  const { libraries } = fieldsOf(json, "the file", ["libraries"]);
  const entries = listOf(libraries, "libraries").map((one): LibraryEntry => {
    const { locations, ...fields } = fieldsOf(one, "a library", [...TEXTS, "is_open", "locations"]);
    const { is_open } = fields;
    if (typeof is_open !== "boolean") throw new TypeError('"is_open" is not true or false');
    const places = listOf(locations, "locations").map((place) => {
      const { id, path } = fieldsOf(place, "a location", ["id", "path"]);
      return { id: textOf(id, "id"), path: textOf(path, "path") };
    });
    const [id, name, dir] = TEXTS.map((key) => textOf(fields[key], key)) as [
      string,
      string,
      string,
    ];
    return { id, name, dir, is_open, locations: places };
  });
  const ids = entries.flatMap(({ id, locations }) => [id, ...locations.map((one) => one.id)]);
  if (new Set(ids).size < ids.length) throw new RangeError("two entries have one id");
  return entries;
}

function fieldsOf(json: unknown, what: string, keys: readonly string[]): Record<string, unknown> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new TypeError(`${what} is no object`);
  }
  const stranger = Object.keys(json).find((key) => !keys.includes(key));
  if (stranger !== undefined) throw new TypeError(`${what} has the unknown key "${stranger}"`);
  return json as Record<string, unknown>;
}

function listOf(json: unknown, key: string): unknown[] {
  if (Array.isArray(json)) return json;
  throw new TypeError(`"${key}" is no list`);
}

function textOf(json: unknown, key: string): string {
  if (typeof json === "string" && json !== "") return json;
  throw new TypeError(`"${key}" is no text, or empty`);
}
