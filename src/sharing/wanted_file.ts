import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import * as z from "zod";
import { logger, messageOf, once, systemCode, writeDurably } from "../core/mod.ts";
import { fileOfFolder, keepLatest } from "./folder_files.ts";
import { isItemId } from "./names.ts";

/** Downloads that are remembered; more are fetched all the same, and do not go on by themselves. */
export const MAX_WANTED = 4_096;

const WantJson = once(() =>
  z.object({
    id: z.string().refine(isItemId),
    version: z.string().max(256),
    install: z.boolean(),
    /** How often it was tried to install it once it was fetched. */
    installs: z.number().int().min(0),
    since: z.number(),
    size: z.number(),
    chunks: z.number(),
  })
);
const WantedJson = once(() =>
  z.object({ dir: z.string(), wanted: z.array(WantJson()).max(MAX_WANTED) })
);
const log = logger("sharing");

/** An item that shall be here, and was not when this was written. */
export type Want = Readonly<z.output<ReturnType<typeof WantJson>>>;

/**
 * Downloads that were begun and not ended, on disk: what a kill interrupts goes on at the next start.
 * Written before the download changes anything.
 */
export class WantedFile {
  readonly #path: string;
  readonly #dir: string;
  readonly #wanted = new Map<string, Want>();
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, dir: string) {
    this.#path = path;
    this.#dir = dir;
  }

  /**
   * Reads the file, or the one beside it if it speaks of another folder; one that is missing or
   * damaged counts as empty.
   */
  static async open(path: string, dir: string): Promise<WantedFile> {
    const own = fileOfFolder(path, dir);
    const known = await readWanted(own) ?? await readWanted(path);
    const isOther = known !== undefined && known.dir !== dir;
    const file = new WantedFile(isOther || existsSync(own) ? own : path, dir);
    if (!isOther) { for (const want of known?.wanted ?? []) file.#wanted.set(want.id, want); }
    if (existsSync(own)) keepLatest(own);
    return file;
  }

  /** All of them, the oldest first. */
  list(): Want[] {
    return [...this.#wanted.values()];
  }

  /** One of them. */
  get(id: string): Want | undefined {
    return this.#wanted.get(id);
  }

  /** Notes one; lasts when it resolves. */
  async put(want: Want): Promise<void> {
    if (this.#wanted.size >= MAX_WANTED && !this.#wanted.has(want.id)) return;
    this.#wanted.set(want.id, want);
    await this.#write();
  }

  /** Forgets one. */
  async remove(id: string): Promise<void> {
    if (this.#wanted.delete(id)) await this.#write();
  }

  // One write after the other, each with all that is known when its turn comes.
  #write(): Promise<void> {
    const next = this.#writing.catch(() => undefined).then(() =>
      writeDurably(
        this.#path,
        `${JSON.stringify({ dir: this.#dir, wanted: this.list() })}\n`,
      )
    );
    this.#writing = next;
    return next;
  }
}

async function readWanted(
  path: string,
): Promise<z.output<ReturnType<typeof WantedJson>> | undefined> {
  try {
    return WantedJson().parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    const isMissing = systemCode(error) === "ENOENT";
    if (!isMissing) log.warn("Downloads do not go on", { path, reason: messageOf(error) });
    return undefined;
  }
}
