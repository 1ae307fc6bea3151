import { join } from "node:path";
import { DaemonError } from "../core/mod.ts";
import type { Files } from "./files.ts";
import { hashFile, sameHash } from "./hashing.ts";
import type { ActivityProgress } from "./item_activities.ts";
import type { IndexStore } from "./store.ts";

/** What a verification found. */
export interface VerifyResult {
  readonly files: number;
  readonly bytes: number;
  /** Files whose bytes are not what was hashed, or that are missing. */
  readonly damaged: readonly string[];
}

/** Reads every file of an item again. @throws {DaemonError} `failed_precondition` if it was never hashed. */
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
  for (const { path, size, chunks } of rows) {
    signal.throwIfAborted();
    const before = bytes;
    const absolute = join(root, ...path.split("/"));
    const facts = await files.facts(absolute);
    const now = facts?.kind === "file" && facts.size === size
      ? await hashFile(files, absolute, size, {
        signal,
        onProgress: (hashed) => onProgress({ doneBytes: before + hashed, totalBytes, damaged }),
      })
      : undefined;
    if (!now || !sameHash(now, chunks)) damaged.push(path);
    bytes += size;
    onProgress({ doneBytes: bytes, totalBytes, damaged });
  }
  return { files: rows.length, bytes, damaged };
}
