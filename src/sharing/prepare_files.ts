/** The files of an item before its chunks come. */
import { dirname, join } from "node:path";
import { DaemonError } from "../core/mod.ts";
import { type FileFacts, type Files, makeFolders } from "./files.ts";
import type { Manifest } from "./manifest.ts";
import { SENTINEL } from "./names.ts";

/** What is prepared. */
export interface PrepareInit {
  readonly root: string;
  readonly manifest: Manifest;
  readonly signal: AbortSignal;
  /** Whether nothing of a file will be written, by its index. */
  isWhole(file: number): boolean;
  /** Nothing is left of what was there of a file; told before it goes. */
  onFresh(file: number): void;
}

/**
 * Makes folders, and files at their full size; bytes that are there stay. A file that has another
 * name as well, perhaps in somebody's backup, keeps its bytes under that: here a fresh one is made.
 */
export async function prepareFiles(
  files: Files,
  { root, manifest, signal, isWhole, onFresh }: PrepareInit,
): Promise<void> {
  const folders = new Set<string>();
  for (const [index, { path, size }] of manifest.files.entries()) {
    signal.throwIfAborted();
    if (path === SENTINEL) continue;
    const folder = dirname(path);
    if (folder !== "." && !folders.has(folder)) await makeFolders(files, root, folder);
    folders.add(folder);
    const absolute = join(root, ...path.split("/"));
    const facts = await files.facts(absolute);
    if (facts && facts.kind !== "file") {
      throw new DaemonError(
        "failed_precondition",
        `Cannot fetch ${absolute}: something that is no file is there; move it away first`,
      );
    }
    const isSame = facts?.size === size;
    const isFresh = hasOtherNames(facts) && !(isSame && isWhole(index));
    if (isFresh) {
      onFresh(index);
      await files.removeFile(absolute);
    } else if (isSame) continue;
    const file = await files.open(absolute, "update");
    await file.truncate(size).finally(() => file.close());
  }
}

/** Whether what is written to a file shows elsewhere: it has further hard links. */
export function hasOtherNames(facts: FileFacts | undefined): boolean {
  return facts?.kind === "file" && facts.links > 1;
}
