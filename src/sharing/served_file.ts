/** What of an item's files peers may have. */
import { join } from "node:path";
import type { FileEntry } from "./manifest.ts";
import { CHUNK_BYTES } from "./names.ts";

/** A file that may be served: only bytes that were verified. */
export interface ServedFile {
  readonly absolutePath: string;
  readonly size: number;
  /** The file is served only while it has this time; undefined while it is being fetched. */
  readonly mtimeMs: number | undefined;
  /** Whether bytes are there, for an item that is still being fetched. */
  hasRange(offset: number, length: number): boolean;
}

/** A file of an item that is complete. */
export function completeFile(root: string, entry: FileEntry, mtimeMs: number): ServedFile {
  return {
    absolutePath: join(root, ...entry.path.split("/")),
    size: entry.size,
    mtimeMs,
    hasRange: () => true,
  };
}

/** Whether every chunk of a range is in a bitmap. */
export function bitmapHas(bitmap: Uint8Array, offset: number, length: number): boolean {
  const last = Math.floor((offset + Math.max(1, length) - 1) / CHUNK_BYTES);
  for (let chunk = Math.floor(offset / CHUNK_BYTES); chunk <= last; chunk++) {
    if (((bitmap[chunk >> 3] ?? 0) >> (chunk & 7) & 1) === 0) return false;
  }
  return true;
}
