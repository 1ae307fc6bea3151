import { readFile } from "node:fs/promises";
import { DaemonError, messageOf, systemCode, writeDurably } from "../core/mod.ts";

/** Largest file that is read back, and so the largest that is written. */
export const MAX_FILE_BYTES = 16 * 1_024 * 1_024;

/**
 * One JSON file that survives a crash at any moment: whoever awaited a save finds that state again
 * or a later one. Changes made while a write is under way go into the next one together.
 */
export class JsonStore {
  readonly path: string;
  #current: Promise<void> | undefined;
  // Waits for the current one and has taken no snapshot yet.
  #next: Promise<void> | undefined;

  /** @param path Empty for a store in memory, which keeps nothing. */
  constructor(path: string) {
    this.path = path;
  }

  /**
   * What the file holds; undefined when there is none.
   *
   * @throws {DaemonError} `data_loss` if it is damaged, with what to do; it is never replaced.
   */
  async read(): Promise<unknown> {
    if (this.path === "") return undefined;
    try {
      const text = await readFile(this.path, "utf8");
      if (text.length > MAX_FILE_BYTES) throw new RangeError("it is larger than any we write");
      return JSON.parse(text);
    } catch (cause) {
      if (systemCode(cause) === "ENOENT") return undefined;
      const remedy = "put back a copy, or move the file away to begin anew";
      throw new DaemonError(
        "data_loss",
        `Cannot read ${this.path}: ${messageOf(cause)}; ${remedy}`,
        {
          cause,
        },
      );
    }
  }

  /**
   * Writes the state as it is when its turn comes.
   *
   * @throws {DaemonError} `resource_exhausted` on a full disk, else `unavailable`; the file stays.
   */
  async save(snapshot: () => unknown): Promise<void> {
    if (this.path === "") return;
    if (!this.#next && this.#current) {
      const begin = () => {
        this.#next = undefined;
        return this.#begin(snapshot);
      };
      this.#next = this.#current.then(begin, begin);
    }
    await (this.#next ?? this.#begin(snapshot));
  }

  /** Waits for what is being written. */
  async settled(): Promise<void> {
    while (this.#next ?? this.#current) {
      await (this.#next ?? this.#current)?.catch(() => undefined);
    }
  }

  #begin(snapshot: () => unknown): Promise<void> {
    const writing = this.#write(`${JSON.stringify(snapshot(), null, 2)}\n`).finally(() => {
      if (this.#current === writing) this.#current = undefined;
    });
    this.#current = writing;
    return writing;
  }

  async #write(text: string): Promise<void> {
    if (text.length > MAX_FILE_BYTES) {
      const reason = `it would have over ${MAX_FILE_BYTES} bytes, and could not be read again`;
      throw new DaemonError("resource_exhausted", `Cannot write ${this.path}: ${reason}`);
    }
    try {
      await writeDurably(this.path, text);
    } catch (cause) {
      throw new DaemonError(
        systemCode(cause) === "ENOSPC" ? "resource_exhausted" : "unavailable",
        `Cannot write ${this.path}: ${messageOf(cause)}; free disk space and make it writable`,
        { cause },
      );
    }
  }
}
