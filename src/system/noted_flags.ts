/** The flags a running daemon was started with, for whoever starts it anew. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { logger } from "../core/mod.ts";

/** Stands beside the pid, and goes with the lock. */
export const FLAGS_FILE = "daemon.flags";

interface Folders {
  readonly daemon: string;
}

const log = logger("system");

/** Notes the words beside the pid; the daemon must own the folder. */
export async function noteFlags({ daemon }: Folders, words: readonly string[]): Promise<void> {
  try {
    await writeFile(join(daemon, FLAGS_FILE), JSON.stringify(words), { mode: 0o600 });
  } catch (error) {
    log.warn("The flags could not be noted, a restart will not know them", { error });
  }
}

/** The words that were noted; none if there is no note, or what is there is none. */
export async function notedFlags({ daemon }: Folders): Promise<string[]> {
  try {
    const words: unknown = JSON.parse(await readFile(join(daemon, FLAGS_FILE), "utf8"));
    const isList = Array.isArray(words) && words.every((word) => typeof word === "string");
    return isList ? words : [];
  } catch {
    return [];
  }
}
