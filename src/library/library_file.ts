import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { DaemonError, messageOf, once, systemCode, writeDurably } from "../core/mod.ts";

const LocationRecord = once(() =>
  z.strictObject({ id: z.string().min(1), path: z.string().min(1) })
);
const LibraryRecord = once(() =>
  z.strictObject({
    id: z.string().min(1),
    name: z.string().min(1),
    dir: z.string().min(1),
    is_open: z.boolean(),
    locations: z.array(LocationRecord()),
  })
);
const LibrariesJson = once(() => z.strictObject({ libraries: z.array(LibraryRecord()) }));

/** A folder that belongs to a library. */
export type LocationEntry = Readonly<z.output<ReturnType<typeof LocationRecord>>>;
/** A library as it is kept. */
export type LibraryEntry =
  & Readonly<Omit<z.output<ReturnType<typeof LibraryRecord>>, "locations">>
  & {
    readonly locations: readonly LocationEntry[];
  };

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
      return checked(LibrariesJson().parse(JSON.parse(text)).libraries);
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
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : messageOf(cause);
    return new DaemonError(
      "data_loss",
      `Cannot read ${this.path}: ${reason.replaceAll("\n", " ")}` +
        "; put back a copy, or move the file away to begin with an empty default library",
      { cause },
    );
  }
}

function checked(libraries: LibraryEntry[]): LibraryEntry[] {
  const ids = libraries.flatMap(({ id, locations }) => [id, ...locations.map((one) => one.id)]);
  if (new Set(ids).size < ids.length) throw new RangeError("two entries have one id");
  return libraries;
}
