/** What peers that still fetch an item have of it. */
import { DaemonError } from "../core/mod.ts";
import type { Manifest } from "./manifest.ts";
import { type Have, isBusy, PeerRefusal } from "./messages.ts";
import { chunkCount } from "./names.ts";

/** A peer's chunks by the index of their file; files that the manifest does not name are passed over. */
export function bitmapsOf(
  { files }: Have,
  manifest: Manifest,
  fileIndex: ReadonlyMap<string, number>,
): Map<number, Uint8Array> {
  const bitmaps = new Map<number, Uint8Array>();
  for (const { path, bitmap } of files) {
    const index = fileIndex.get(path);
    const size = index === undefined ? 0 : manifest.files[index]?.size ?? 0;
    if (index !== undefined) {
      bitmaps.set(index, bitmap.slice(0, Math.ceil(chunkCount(size) / 8))); // keeps no more of it
    }
  }
  return bitmaps;
}

/** Busy, or away for the moment: nothing that counts against a chunk. */
export function isGone(error: unknown): boolean {
  if (error instanceof PeerRefusal) return isBusy(error);
  return error instanceof DaemonError && ["unavailable", "aborted"].includes(error.code);
}

/** What a download ends with that nobody brings anything for. */
export function nobodyLeft({ id, version }: Pick<Manifest, "id" | "version">): DaemonError {
  return new DaemonError(
    "unavailable",
    `Cannot fetch "${id}": no peer that has version "${version}" can be reached; ` +
      "what came so far is kept",
  );
}
