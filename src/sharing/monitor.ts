import { existsSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { type Clock, logger, messageOf, type Timer } from "../core/mod.ts";
import { isItemId } from "./names.ts";

/** A folder is looked at once nothing has changed in it for so long, contract 5.5. */
export const SETTLE_MS = 500;
/** Everything is looked at again after so long, in case an event was missed; contract 5.5. */
export const FALLBACK_SCAN_MS = 300_000;
/** Changes that never settle are looked at all the same. */
const LONGEST_SETTLE_MS = 5_000;

/** Tells of changes directly in folders, not deeper. */
export interface FolderWatch {
  /** Ends it; safe to call twice. */
  close(): void;
}

/** What {@link Monitor} uses. */
export interface MonitorComponents {
  readonly clock: Clock;
  /** Watches folders; the default is the runtime's. */
  readonly watch?: (paths: readonly string[], tell: (path: string) => void) => FolderWatch;
  /** Items whose folders are watched besides the library's own. */
  items(): readonly string[];
  scan(id: string): Promise<void>;
  scanAll(): Promise<unknown>;
}

const log = logger("sharing");

/** Watches the library's folder and each item's root, and has what settled looked at. */
export class Monitor {
  readonly #components: MonitorComponents;
  readonly #dir: string;
  readonly #settling = new Map<string, { timer: Timer; since: number }>();
  #watch: FolderWatch | undefined;
  #watched = "";
  #fallback: Timer | undefined;
  #hasWarned = false;

  constructor(components: MonitorComponents, init: { dir: string }) {
    this.#components = components;
    this.#dir = init.dir;
  }

  /** Begins to watch. */
  start(): void {
    this.#fallback = this.#components.clock.every(FALLBACK_SCAN_MS, () => this.#look(""));
    this.refresh();
  }

  /** Ends everything; safe to call twice. */
  stop(): void {
    this.#fallback?.cancel();
    for (const { timer } of this.#settling.values()) timer.cancel();
    this.#settling.clear();
    this.#watch?.close();
    this.#watch = undefined;
    this.#watched = "";
  }

  /** Watches the folders of the items there are now. */
  refresh(): void {
    const items = this.#components.items();
    const paths = [this.#dir, ...items.map((id) => join(this.#dir, id))];
    if (paths.join("\0") === this.#watched) return;
    this.#watch?.close();
    this.#watched = paths.join("\0");
    const watch = this.#components.watch ?? watchFolders;
    const existing = paths.filter((path) => existsSync(path));
    try {
      this.#watch = watch(existing, (path) => this.#changed(path));
    } catch (error) {
      this.#watch = undefined;
      if (!this.#hasWarned) {
        log.warn("Folders cannot be watched, changes are found every five minutes", {
          reason: messageOf(error),
        });
      }
      this.#hasWarned = true;
    }
  }

  // Only the library's folder and the items' roots speak; what is deeper in an item does not count.
  #changed(path: string): void {
    const [id = "", inner = "", ...deeper] = relative(this.#dir, path).split(sep);
    if (!isItemId(id) || deeper.length > 0) return;
    if (inner.startsWith(".lanspread") || inner.endsWith(".tmp")) return;
    this.#settle(id);
  }

  #settle(id: string): void {
    const { clock } = this.#components;
    const now = clock.monotonic();
    const before = this.#settling.get(id);
    const since = before?.since ?? now;
    if (before && now - since > LONGEST_SETTLE_MS) return; // its timer is about to fire
    before?.timer.cancel();
    const timer = clock.after(SETTLE_MS, () => {
      this.#settling.delete(id);
      this.#look(id);
    });
    this.#settling.set(id, { timer, since });
  }

  #look(id: string): void {
    const { scan, scanAll } = this.#components;
    (id ? scan(id) : scanAll()).then(() => this.refresh()).catch((error) =>
      log.warn("A folder cannot be looked at", { id, reason: messageOf(error) })
    );
  }
}

function watchFolders(paths: readonly string[], tell: (path: string) => void): FolderWatch {
  const watcher = Deno.watchFs([...paths], { recursive: false });
  (async () => {
    for await (const { kind, paths: changed } of watcher) {
      if (kind !== "access") changed.forEach(tell);
    }
  })().catch((error) => log.warn("Watching folders ended", { reason: messageOf(error) }));
  return {
    close() {
      try {
        watcher.close();
      } catch {
        // it ended by itself
      }
    },
  };
}
