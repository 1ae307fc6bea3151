/** Reads item folders: names, sizes and times only, a few milliseconds at a time. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  isItemId,
  isReserved,
  LOCAL,
  MAX_SENTINEL_BYTES,
  parseVersion,
  SENTINEL,
} from "./names.ts";
import { pathProblem, twinKey } from "./names.ts";

/** Most files of one item. */
export const MAX_FILES = 200_000;

/** A file in an item's folder. */
export interface FoundFile {
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
}

/** What is in an item's folder. */
export interface FoundItem {
  readonly id: string;
  /** Undefined when the item is not downloaded. */
  readonly version: string | undefined;
  readonly sentinelMtimeMs: number;
  readonly installed: boolean;
  readonly files: readonly FoundFile[];
  /** Files that cannot be shared, and why. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

/** What was known of the sentinel; an unchanged one is not read again. */
export interface KnownSentinel {
  readonly version: string;
  readonly sentinelMtimeMs: number;
}

/** Names in the library's folder that may be items. */
export function itemFolders(dir: string): string[] {
  return [...Deno.readDirSync(dir)]
    .filter((entry) => entry.isDirectory && isItemId(entry.name))
    .map(({ name }) => name);
}

/**
 * The folder whose name differs from an id only in case, while there is none of the id's own: on
 * some file systems the two would be one.
 */
export function twinFolder(dir: string, id: string): string | undefined {
  const key = twinKey(id);
  const names = listFolder(dir)?.filter((entry) => entry.isDirectory).map(({ name }) => name) ?? [];
  return names.includes(id) ? undefined : names.find((name) => twinKey(name) === key);
}

/**
 * Looks at one item; yields between folders and every few hundred files.
 *
 * @returns Undefined when the folder is gone.
 */
export function* scanItem(
  root: string,
  id: string,
  known?: KnownSentinel,
): Generator<void, FoundItem | undefined> {
  const files: FoundFile[] = [];
  const skipped: { path: string; reason: string }[] = [];
  let sentinel: Deno.FileInfo | undefined;
  let installed = false;
  const twins = new Set<string>();
  const take = (path: string, stat: Deno.FileInfo) => {
    const reason = files.length >= MAX_FILES
      ? `an item has at most ${MAX_FILES} files`
      : pathProblem(path) ?? (twins.has(twinKey(path)) ? "another name differs only in case" : "");
    if (reason) return void skipped.push({ path, reason });
    twins.add(twinKey(path));
    files.push({ path, size: stat.size, mtimeMs: stat.mtime?.getTime() ?? 0 });
  };
  for (const folders = [""]; folders.length > 0;) {
    const folder = folders.pop() ?? "";
    const entries = listFolder(folder ? `${root}/${folder}` : root);
    if (!entries && folder === "") return undefined;
    for (const [index, entry] of (entries ?? []).entries()) {
      if (index % 256 === 255) yield;
      const path = folder ? `${folder}/${entry.name}` : entry.name;
      if (folder === "" && isReserved(entry.name)) {
        installed ||= entry.name === LOCAL && entry.isDirectory;
      } else if (entry.isDirectory) folders.push(path);
      else if (!entry.isFile) skipped.push({ path, reason: "it is no regular file" });
      else {
        const stat = lookAt(`${root}/${path}`);
        if (!stat?.isFile) continue;
        if (path === SENTINEL) sentinel = stat;
        take(path, stat);
      }
    }
    yield;
  }
  const mtimeMs = sentinel ? sentinel.mtime?.getTime() ?? 0 : 0;
  const version = sentinel &&
    (known?.sentinelMtimeMs === mtimeMs && known.version
      ? known.version
      : readVersion(join(root, SENTINEL), sentinel.size));
  return { id, version, sentinelMtimeMs: mtimeMs, installed, files, skipped };
}

function listFolder(path: string) {
  try {
    return [...Deno.readDirSync(path)]; // three times as fast as node:fs (measured)
  } catch {
    return undefined; // it went away, or nobody may read it
  }
}

function lookAt(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}

// A sentinel without a word in it still says that the item is there.
function readVersion(path: string, size: number): string | undefined {
  if (size > MAX_SENTINEL_BYTES) return undefined;
  try {
    return parseVersion(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
