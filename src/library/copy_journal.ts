import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rm, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import * as z from "zod";
import { logger, once, systemCode, writeDurably } from "../core/mod.ts";

const CopyEntry = once(() =>
  z.strictObject({
    job_id: z.uuid(),
    library_id: z.string(),
    request_id: z.string().optional(),
    message: z.string(),
    created_at: z.number(),
    temps: z.array(z.string()),
  })
);

/** A copy that was begun. */
export type CopyEntry = Readonly<z.output<ReturnType<typeof CopyEntry>>>;

/** Names that unfinished copies have, so that a damaged entry cannot make us remove another file. */
const TEMP_NAME = /^\..*\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/s;

/** A name beside the target that nothing else has. */
export function tempBeside(target: string): string {
  return join(dirname(target), `.${basename(target).slice(0, 100)}.${randomUUID()}.tmp`);
}

const log = logger("library");

/**
 * Which copies are under way: an entry is on disk before the first byte of a copy is. What a killed
 * daemon left unfinished is found by it and removed.
 */
export class CopyJournal {
  readonly #folder: string;

  /** @param folder The daemon's `data` folder. */
  constructor(folder: string) {
    this.#folder = join(folder, "copies");
  }

  /** Notes a copy. @throws The operating system's error. */
  async begin(entry: CopyEntry): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await writeDurably(this.#path(entry.job_id), `${JSON.stringify(entry)}\n`);
  }

  /** Forgets a copy of which nothing unfinished is left. */
  async end(jobId: string): Promise<void> {
    await unlink(this.#path(jobId)).catch(ignoreMissing);
  }

  /** Removes what copies left that never ended. @returns Those copies, oldest first. */
  async recover(): Promise<CopyEntry[]> {
    const entries: CopyEntry[] = [];
    for (const name of await readdir(this.#folder).catch(ignoreMissing) ?? []) {
      if (!name.endsWith(".json")) continue;
      const entry = await this.#read(name);
      if (!entry) continue;
      await removeTemps(entry);
      await this.end(entry.job_id);
      entries.push(entry);
    }
    return entries.sort((a, b) => a.created_at - b.created_at);
  }

  async #read(name: string): Promise<CopyEntry | undefined> {
    const path = join(this.#folder, name);
    try {
      return CopyEntry().parse(JSON.parse(await readFile(path, "utf8")));
    } catch (error) {
      log.error("Entry of an unfinished copy is damaged; remove it by hand", { path, error });
      return undefined;
    }
  }

  #path(jobId: string): string {
    return join(this.#folder, `${jobId}.json`);
  }
}

async function removeTemps({ job_id: jobId, temps }: CopyEntry): Promise<void> {
  for (const path of temps.filter((one) => TEMP_NAME.test(basename(one)))) {
    await rm(path, { recursive: true, force: true }).catch((error) => {
      log.warn("Rest of an unfinished copy stays", { jobId, path, error });
    });
  }
}

function ignoreMissing(failure: unknown): undefined {
  if (systemCode(failure) !== "ENOENT") throw failure;
  return undefined;
}
