import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { writeSync } from "node:fs";
import { join } from "node:path";
import { type Clock, messageOf } from "../core/mod.ts";

/** Old log files kept beside the current one, contract 1.3. */
export const KEPT_LOG_FILES = 7;

const ROTATED = /^daemon-\d{4}-\d{2}-\d{2}\.log$/;

/** `daemon.log`: one line a record, a new file each day (UTC), seven old ones kept. */
export class DailyLogFile {
  readonly #folder: string;
  readonly #clock: Clock;
  #file: number | undefined;
  #day = "";
  #problem = "";

  constructor(components: { clock: Clock }, init: { folder: string }) {
    this.#clock = components.clock;
    this.#folder = init.folder;
  }

  /**
   * Appends one line. Synchronous, so that the last words before an exit are on disk;
   * a full or failing disk loses lines, never the daemon.
   */
  write(line: string): void {
    try {
      this.#turnPage();
      if (this.#file !== undefined) writeSync(this.#file, line);
      this.#problem = "";
    } catch (failure) {
      this.#problem = messageOf(failure);
      this.close();
    }
  }

  /** Why the last line could not be written; empty when it was. */
  get problem(): string {
    return this.#problem;
  }

  /** Closes the file; the next line opens it again. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #turnPage(): void {
    const today = dayOf(this.#clock.now());
    if (this.#file !== undefined && today === this.#day) return;
    this.close();
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const current = join(this.#folder, "daemon.log");
    const lastDay = this.#day || lastWritten(current);
    if (lastDay && lastDay !== today) {
      renameSync(current, join(this.#folder, `daemon-${lastDay}.log`));
      this.#prune();
    }
    this.#file = openSync(current, "a", 0o600);
    this.#day = today;
  }

  #prune(): void {
    const old = readdirSync(this.#folder).filter((name) => ROTATED.test(name)).sort();
    for (const name of old.slice(0, -KEPT_LOG_FILES)) unlinkSync(join(this.#folder, name));
  }
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

function lastWritten(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat && stat.size > 0 ? dayOf(stat.mtimeMs) : undefined;
}
