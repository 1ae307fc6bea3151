/** What is known of a library's folder is kept while another one is used. */
import { hash } from "node:crypto";
import { readdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";

/** Folders besides the first one of which something is remembered. */
export const MAX_FOLDERS = 16;
const DIGITS = 16;

/** Where something is noted of a folder when the file itself speaks of another one. */
export function fileOfFolder(path: string, folder: string): string {
  const extension = extname(path);
  const mark = hash("sha256", folder, "hex").slice(0, DIGITS);
  return join(dirname(path), `${basename(path, extension)}.${mark}${extension}`);
}

/** Notes that a file of {@link fileOfFolder} is used, and removes those used least lately. */
export function keepLatest(path: string): void {
  const extension = extname(path);
  const stem = basename(path, extension).slice(0, -DIGITS);
  const isOne = (name: string) =>
    name.startsWith(stem) && name.endsWith(extension) &&
    name.length === stem.length + DIGITS + extension.length;
  try {
    utimesSync(path, new Date(), new Date());
    const names = readdirSync(dirname(path)).filter(isOne);
    const times = names.map((name) => join(dirname(path), name))
      .map((other) => ({ other, at: statSync(other).mtimeMs }));
    times.sort((a, b) => b.at - a.at);
    for (const { other } of times.slice(MAX_FOLDERS)) {
      for (const suffix of ["-wal", "-shm", ""]) rmSync(`${other}${suffix}`, { force: true });
    }
  } catch {
    // a file too many does no harm
  }
}
