import { type Clock, logger, messageOf, type Timer } from "../core/mod.ts";
import { KEPT_REPORTS } from "./folder_watch.ts";
import { WatchedFolders, type WatchedFoldersComponents } from "./watched_folders.ts";

/** A folder is looked at once nothing has changed in it for so long, contract 5.5. */
export const SETTLE_MS = 500;
/** Everything is looked at again after so long, in case an event was missed; contract 5.5. */
export const FALLBACK_SCAN_MS = 300_000;
/** Changes that never settle are looked at all the same. */
const LONGEST_SETTLE_MS = 5_000;
/** Soonest that everything is looked at because something may have been missed. */
const DOUBT_MS = 1_000;
/** Most items that are looked at one by one; of more, everything is. */
const MAX_SETTLING = 64;
/** In a flood of changes, looks at everything take one part of so many of the time. */
const DOUBT_FACTOR = 50;

/** What {@link Monitor} uses. */
export interface MonitorComponents extends Pick<WatchedFoldersComponents, "clock" | "watch"> {
  readonly clock: Clock;
  scan(id: string): Promise<void>;
  scanAll(): Promise<unknown>;
}

const log = logger("sharing");

/** Watches the library's folder and each item's root, and has what settled looked at. */
export class Monitor {
  readonly #components: MonitorComponents;
  readonly #folders: WatchedFolders;
  readonly #settling = new Map<string, { timer: Timer; since: number }>();
  #fallback: Timer | undefined;
  #doubt: Timer | undefined;
  #reports = 0;
  #scanMs = 0;
  #isStopped = false;

  /** @param init.maxWatched Most folders the system is asked to watch. */
  constructor(components: MonitorComponents, init: { dir: string; maxWatched?: number }) {
    this.#components = components;
    this.#folders = new WatchedFolders({
      ...components,
      changed: (id) => this.#settle(id),
      reported: () => this.#reported(),
      missed: () => this.#missed(),
    }, init);
  }

  /** Begins to watch; resolves when nothing new can be missed. */
  async start(): Promise<void> {
    this.#fallback = this.#components.clock.every(FALLBACK_SCAN_MS, () => this.#lookAtAll());
    await this.#folders.start();
  }

  /** Ends everything; safe to call twice. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#fallback?.cancel();
    this.#doubt?.cancel();
    for (const { timer } of this.#settling.values()) timer.cancel();
    this.#settling.clear();
    await this.#folders.stop();
  }

  // Of reports that nobody read in time some are lost; that many were read since then.
  #reported(): void {
    if (++this.#reports >= KEPT_REPORTS) this.#missed();
  }

  #missed(): void {
    const pauseMs = Math.max(DOUBT_MS, DOUBT_FACTOR * this.#scanMs);
    this.#doubt ??= this.#components.clock.after(pauseMs, () => {
      this.#doubt = undefined;
      this.#lookAtAll();
    });
  }

  #settle(id: string): void {
    const { clock } = this.#components;
    const now = clock.monotonic();
    const before = this.#settling.get(id);
    const since = before?.since ?? now;
    if (before && now - since > LONGEST_SETTLE_MS) return; // its timer is about to fire
    if (!before && this.#settling.size >= MAX_SETTLING) return this.#missed();
    before?.timer.cancel();
    const timer = clock.after(SETTLE_MS, () => {
      this.#settling.delete(id);
      this.#components.scan(id).catch((error) => this.#failed(error, id));
    });
    this.#settling.set(id, { timer, since });
  }

  #lookAtAll(): void {
    this.#reports = 0;
    this.#folders.recheck();
    const begun = performance.now();
    const ended = () => void (this.#scanMs = performance.now() - begun);
    this.#components.scanAll().catch((error) => this.#failed(error)).finally(ended);
  }

  #failed(error: unknown, id?: string): void {
    if (this.#isStopped) return;
    log.warn("A folder cannot be looked at", { id, reason: messageOf(error) });
  }
}
