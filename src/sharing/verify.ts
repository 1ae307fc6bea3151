import { join } from "node:path";
import { DaemonError, logger, systemCode } from "../core/mod.ts";
import type { Files } from "./files.ts";
import { hashFile, sameHash } from "./hashing.ts";
import type { ActivityProgress } from "./item_activities.ts";
import type { IndexedFile, IndexStore } from "./store.ts";

const log = logger("sharing");
/** Failures that say nothing of a file. */
const OUR_OWN = ["EMFILE", "ENFILE", "ENOMEM"];

/** What a verification found. */
export interface VerifyResult {
  readonly files: number;
  readonly bytes: number;
  /** Files whose bytes are not what was hashed, or that are missing. */
  readonly damaged: readonly string[];
}

/**
 * Reads every file of an item again. What is damaged is noted: the next download reads it chunk by
 * chunk and fetches those that are wrong.
 *
 * @throws {DaemonError} `failed_precondition` if it was never hashed.
 */
export async function verifyItem(
  { files, store, onProgress }: {
    files: Files;
    store: IndexStore;
    onProgress(progress: ActivityProgress): void;
  },
  { id, root, signal }: { id: string; root: string; signal: AbortSignal },
): Promise<VerifyResult> {
  const rows = store.files(id);
  if (!store.item(id)?.isHashed || rows.length === 0) {
    throw new DaemonError(
      "failed_precondition",
      `Cannot verify "${id}": it is not hashed yet; try again in a few seconds`,
    );
  }
  const damaged: string[] = [];
  const totalBytes = rows.reduce((sum, { size }) => sum + size, 0);
  let bytes = 0;
  for (const row of rows) {
    signal.throwIfAborted();
    const before = bytes;
    const isSound = await isAsHashed(files, join(root, ...row.path.split("/")), row, {
      signal,
      onProgress: (hashed) => onProgress({ doneBytes: before + hashed, totalBytes, damaged }),
    });
    if (!isSound) {
      damaged.push(row.path);
      doubt(store, id, row);
    }
    bytes += row.size;
    onProgress({ doneBytes: bytes, totalBytes, damaged });
  }
  return { files: rows.length, bytes, damaged };
}

// A file that the disk cannot read is as damaged as one with other bytes.
async function isAsHashed(
  files: Files,
  absolute: string,
  { size, chunks }: IndexedFile,
  options: { signal: AbortSignal; onProgress: (hashed: number) => void },
): Promise<boolean> {
  try {
    const facts = await files.facts(absolute);
    if (facts?.kind !== "file" || facts.size !== size) return false;
    const now = await hashFile(files, absolute, size, options);
    return now !== undefined && sameHash(now, chunks);
  } catch (failure) {
    options.signal.throwIfAborted();
    const code = systemCode(failure);
    if (code === undefined || OUR_OWN.includes(code)) throw failure;
    log.warn("A file cannot be read", { path: absolute, reason: code });
    return false;
  }
}

// Chunks that are only said to be there are read before they count.
function doubt(store: IndexStore, id: string, { path, chunks }: IndexedFile): void {
  const parts = Array.from({ length: chunks.byteLength / 32 }, (_, chunk) => ({
    ...{ path, chunk, isSynced: false },
    hash: chunks.slice(chunk * 32, chunk * 32 + 32),
  }));
  store.removeParts(id, path);
  store.putParts(id, parts);
}
