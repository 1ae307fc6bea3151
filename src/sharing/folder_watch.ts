/** The system's word that something changed in folders. */
import process from "node:process";

/** Tells of changes directly in folders, not deeper. */
export interface FolderWatch {
  /** It speaks of everything below the first folder, also of folders that come later. */
  readonly coversAll?: boolean;
  /** Resolves when it speaks no more, for whatever reason. */
  readonly ended?: Promise<void>;
  /** Ends it; safe to call twice. */
  close(): void;
}

/** What a {@link FolderWatch} says; without a path it only says that it took a place in the queue. */
export type TellOfFolder = (path?: string) => void;

/** Reports the runtime keeps while nobody reads them; what comes on top of them is lost. */
export const KEPT_REPORTS = 16;
// One handle or stream for the whole tree. Where each folder costs a handle of its own, a folder
// that is watched could not be replaced (Windows), and each new one would begin a new stream (macOS).
const WATCHES_TREES = process.platform === "win32" || process.platform === "darwin";

/**
 * Watches with the runtime's means.
 *
 * @param paths The library's folder first: the runtime compares a report with them in their order,
 *   on the file system, until one holds it.
 */
export function watchFolders(paths: readonly string[], tell: TellOfFolder): FolderWatch {
  const watcher = Deno.watchFs(WATCHES_TREES ? paths.slice(0, 1) : [...paths], {
    recursive: WATCHES_TREES,
  });
  const listen = async () => {
    for await (const { kind, paths: changed } of watcher) {
      if (kind === "access") tell();
      else changed.forEach((path) => tell(path));
    }
  };
  return {
    coversAll: WATCHES_TREES,
    ended: listen().catch(() => undefined),
    close() {
      try {
        watcher.close();
      } catch {
        // it ended by itself
      }
    },
  };
}
