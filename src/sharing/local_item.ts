/** What is known of one item in the library's folder. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DaemonError, logger } from "../core/mod.ts";
import { isManifestTooLong, TOO_LONG } from "./manifest_length.ts";
import { BACKUP, CHUNK_BYTES, INSTALLING, INTENT, INTENT_TEMP } from "./names.ts";
import { MAX_INTENT_BYTES, SENTINEL_PARKED, SENTINEL_TEMP } from "./names.ts";
import type { FoundFile, FoundItem } from "./scanner.ts";
import { readSmallText } from "./small_file.ts";
import type { IndexedItem } from "./store.ts";

const log = logger("sharing");
/** Small files that are hashed at a time. */
const HASH_GROUP = 32;
const LEFTOVERS = new Set([INTENT_TEMP, INSTALLING, BACKUP, SENTINEL_TEMP, SENTINEL_PARKED]);

/** An item in the library's folder. */
export interface LocalItem {
  readonly id: string;
  /** Empty while it is not downloaded. */
  readonly version: string;
  readonly size: number;
  readonly files: number;
  readonly downloaded: boolean;
  readonly installed: boolean;
  /** Every file is hashed, so that the item is announced. */
  readonly isHashed: boolean;
  /** Its manifest is longer than peers accept, so that they are not told of it. */
  readonly isTooLong: boolean;
  /** Files that cannot be shared, and why. */
  readonly skipped: FoundItem["skipped"];
}

/** Small files together, because each costs more waiting than reading; a large one alone. */
export function* hashGroups(files: readonly FoundFile[]): Generator<FoundFile[]> {
  let group: FoundFile[] = [];
  for (const file of files) {
    group.push(file);
    if (group.length < HASH_GROUP && file.size < CHUNK_BYTES / 4) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

/** Whether a folder shows that something was not finished. */
export function isUnfinished(root: string): boolean {
  let names: string[];
  try {
    names = readdirSync(root);
  } catch {
    return false;
  }
  if (names.some((name) => LEFTOVERS.has(name))) return true;
  if (!names.includes(INTENT)) return false;
  try {
    return JSON.parse(readSmallText(join(root, INTENT), MAX_INTENT_BYTES) ?? "").state !== "None";
  } catch {
    return true; // a log that cannot be read is looked at as well
  }
}

/** An item as lists show it. */
export function localItem(item: IndexedItem, skipped: FoundItem["skipped"]): LocalItem {
  const { id, version, size, files, installed, isHashed, isTooLong = false } = item;
  const downloaded = isDownloaded(item);
  return { id, version, size, files, installed, isHashed, isTooLong, skipped, downloaded };
}

/** An item as the index keeps it. @param files Those that belong to it. */
export function foundItem(
  { id, version, installed, sentinelMtimeMs }: FoundItem,
  files: readonly FoundFile[],
  known: Pick<IndexedItem, "isFetched" | "isHashed">,
): IndexedItem {
  const size = files.reduce((sum, { size }) => sum + size, 0);
  const isTooLong = version !== undefined && isManifestTooLong(id, version, files);
  return {
    ...{ ...known, id, version: version ?? "", installed, isTooLong, size, files: files.length },
    sentinelMtimeMs: version === undefined ? 0 : sentinelMtimeMs,
  };
}

// Items without a sentinel are kept in the index for what is installed of them.
function isDownloaded({ sentinelMtimeMs }: IndexedItem): boolean {
  return sentinelMtimeMs > 0;
}

/** Whether a list would show no difference. */
export function isEqual(a: LocalItem, b: LocalItem): boolean {
  return a.version === b.version && a.size === b.size && a.files === b.files &&
    a.downloaded === b.downloaded && a.installed === b.installed && a.isHashed === b.isHashed &&
    a.isTooLong === b.isTooLong &&
    isSameSkipped(a, b);
}

function isSameSkipped(a: LocalItem, b: LocalItem): boolean {
  return a.skipped.length === b.skipped.length &&
    a.skipped.every(({ path, reason }, index) =>
      path === b.skipped[index]?.path && reason === b.skipped[index]?.reason
    );
}

/** What is told of an id that differs only in case from one that is here. */
export function twinProblem(twin: string): string {
  return `"${twin}" is here, and names that differ only in case cannot be apart on every disk`;
}

/** Says once in the log that peers do not get all of an item. */
export function warnOfSkipped(before: LocalItem | undefined, now: LocalItem): void {
  const [first] = now.skipped;
  if (!first || !now.downloaded || (before && isSameSkipped(before, now))) return;
  const { id, skipped } = now;
  log.warn("Some of an item is not shared", { id, count: skipped.length, ...first });
}

/** Says once in the log that peers are not told of an item. */
export function warnOfLength(before: LocalItem | undefined, { id, isTooLong }: LocalItem): void {
  if (isTooLong && !before?.isTooLong) {
    log.warn("An item is not shared", { id, reason: TOO_LONG });
  }
}

/** @throws {DaemonError} `not_found` for an item nobody here knows. */
export function unknownItem(id: string): DaemonError {
  return new DaemonError("not_found", `Cannot find "${id}": it is not in the library`);
}
