import { join, relative, sep } from "node:path";
import { type Clock, logger, messageOf, type Timer, withDeadline } from "../core/mod.ts";
import { birthOf, birthsOf, canList, folderBirth } from "./folder_facts.ts";
import { type FolderWatch, type TellOfFolder, watchFolders } from "./folder_watch.ts";
import { isItemId } from "./names.ts";
import { itemFolders } from "./scanner.ts";
import { MAX_NEWEST, SilentFolders } from "./silent_folders.ts";
import { inSlices } from "./slices.ts";

/** Between two looks at what cannot speak by itself. */
export const LOOK_MS = 1_000;
/** Most folders the system is asked to watch; the others are looked at one after the other. */
export const MAX_WATCHED = 2_048;
/** Looks take no more than one part of so many of a processor: each pause is so much longer. */
const PAUSE_FACTOR = 100;
/** The pause between two openings of a watch doubles so many times. */
const MAX_DOUBLINGS = 20;
/** The coarsest steps in which a file system counts time. */
const COARSE_MS = 2_000;
/** Longest that an end waits for a look; a disk may hang. */
const LAST_LOOK_MS = 1_000;

/** What {@link WatchedFolders} uses. */
export interface WatchedFoldersComponents {
  readonly clock: Clock;
  /** Watches folders; the default is the runtime's. */
  readonly watch?: (paths: readonly string[], tell: TellOfFolder) => FolderWatch;
  /** Something may have changed directly in the folder of an item, or in its place. */
  changed(id: string): void;
  /** A report came, whatever it says. */
  reported(): void;
  /** Changes may have been missed anywhere. */
  missed(): void;
}

const log = logger("sharing");

/**
 * The library's folder and those in it that may be items. Those that the system watches speak by
 * themselves; the others, and the library's own place, are looked at every second.
 *
 * A watch is opened anew for folders that came later, but ever more rarely: until 2.9 the runtime
 * compares every report with all that was ever watched.
 */
export class WatchedFolders {
  readonly #components: WatchedFoldersComponents;
  readonly #dir: string;
  readonly #maxWatched: number;
  /** Ids of folders that speak by themselves, with what tells the one from another in its place. */
  readonly #speaking = new Map<string, string>();
  /** The others. */
  readonly #silent: SilentFolders;
  #watch: FolderWatch | undefined;
  #ended: Promise<void> | undefined;
  #looking: Promise<void> | undefined;
  #real = "";
  #place = "";
  #mtimeMs: number | undefined;
  #openings = 0;
  #mayOpenAt = 0;
  #mayCompareAt = 0;
  #hasNew = false;
  #hasWarned = false;
  #timer: Timer | undefined;
  #isRunning = false;

  /** @param init.maxWatched By default {@link MAX_WATCHED}. */
  constructor(components: WatchedFoldersComponents, init: { dir: string; maxWatched?: number }) {
    this.#components = components;
    this.#dir = init.dir;
    this.#silent = new SilentFolders(init.dir);
    this.#maxWatched = init.maxWatched ?? MAX_WATCHED;
  }

  /** Folders that the system watches, and those that are looked at. */
  get counts(): { readonly speaking: number; readonly silent: number } {
    return { speaking: this.#speaking.size, silent: this.#silent.size };
  }

  /** Begins to watch and to look; resolves when the watch is there, or cannot be. */
  async start(): Promise<void> {
    this.#isRunning = true;
    await this.#look();
  }

  /** Ends everything; safe to call twice. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#timer?.cancel();
    this.#close();
    const last = Promise.all([this.#looking, this.#ended]);
    await withDeadline(last, LAST_LOOK_MS, "end of a look").catch(() => undefined);
  }

  /** Compares with the folder at the next look, whatever its time says. */
  recheck(): void {
    this.#mtimeMs = undefined;
  }

  get #covers(): boolean {
    return this.#watch?.coversAll === true;
  }

  #look(): Promise<void> {
    return this.#looking = this.#lookAtAll().catch((error) => {
      log.warn("The library's folders cannot be looked at", { reason: messageOf(error) });
      return 0;
    }).then((spentMs) => {
      if (!this.#isRunning) return;
      const pauseMs = Math.max(LOOK_MS, PAUSE_FACTOR * spentMs);
      this.#timer = this.#components.clock.after(pauseMs, () => void this.#look());
    });
  }

  // Returns the time it took, without the waiting for a slow disk.
  async #lookAtAll(): Promise<number> {
    const stat = await Deno.stat(this.#dir).catch(() => undefined);
    if (!this.#isRunning) return 0;
    if (!stat?.isDirectory) return this.#gone();
    const place = `${stat.dev} ${birthOf(stat)}`;
    const hasMoved = place !== this.#place;
    if (hasMoved) this.#moved();
    this.#place = place;
    await this.#compareSoon(stat.mtime?.getTime() ?? 0);
    if (this.#hasNew && this.#components.clock.monotonic() >= this.#mayOpenAt) await this.#open();
    const begun = performance.now();
    await inSlices(this.#silent.look((id) => this.#changed(id)));
    return performance.now() - begun;
  }

  async #compareSoon(mtimeMs: number): Promise<void> {
    const { clock } = this.#components;
    const now = clock.monotonic();
    if (mtimeMs === this.#mtimeMs || now < this.#mayCompareAt) return;
    const begun = performance.now();
    await inSlices(this.#compare());
    this.#mayCompareAt = now + PAUSE_FACTOR * (performance.now() - begun);
    // A time may be the same for changes that follow each other at once.
    this.#mtimeMs = clock.now() - mtimeMs > COARSE_MS ? mtimeMs : undefined;
  }

  #moved(): void {
    this.#allSilent();
    this.#mayCompareAt = 0;
    this.#mtimeMs = undefined;
    if (this.#timer) this.#components.missed();
  }

  #gone(): number {
    if (this.#place !== "") {
      log.warn("The library's folder is gone; it is watched again once it is back", {
        dir: this.#dir,
      });
    }
    this.#place = "";
    this.#allSilent();
    this.#silent.clear();
    return 0;
  }

  // Which folders there are; another folder in the place of one that was watched is not watched.
  *#compare(): Generator<void, void> {
    const names = new Set(itemFolders(this.#dir));
    for (const id of this.#silent.ids()) if (!names.has(id)) this.#drop(id);
    if (this.#covers) return;
    for (const [id, birth] of [...this.#speaking]) {
      if (!names.has(id)) this.#drop(id);
      else if (folderBirth(join(this.#dir, id)) !== birth) this.#silence(id);
      yield;
    }
    for (const id of names) {
      if (!this.#speaking.has(id) && !this.#silent.has(id)) this.#silence(id);
      yield;
    }
  }

  #drop(id: string): void {
    this.#speaking.delete(id);
    this.#silent.delete(id);
    this.#changed(id);
  }

  #changed(id: string): void {
    if (this.#isRunning) this.#components.changed(id);
  }

  #silence(id: string): void {
    this.#speaking.delete(id);
    this.#silent.add(id);
    this.#hasNew = true;
  }

  #allSilent(): void {
    for (const id of [...this.#speaking.keys()]) this.#silence(id);
    this.#hasNew = true; // also without a single folder
    this.#close();
  }

  #close(): void {
    if (!this.#watch) return;
    this.#ended = this.#watch.ended;
    this.#watch.close();
    this.#watch = undefined;
  }

  // The newest folders first; whoever has no place stays among the silent ones.
  async #open(): Promise<void> {
    this.#close();
    // The runtime asks the system nothing for a path that a watch before still holds.
    await this.#ended;
    this.#real = await Deno.realPath(this.#dir).catch(() => this.#dir);
    const wanted = [...this.#silent.ids().reverse(), ...this.#speaking.keys()];
    const births = await inSlices(birthsOf(this.#dir, wanted.slice(0, this.#maxWatched)));
    if (!this.#isRunning) return;
    const pauseMs = LOOK_MS * 2 ** Math.min(++this.#openings, MAX_DOUBLINGS);
    this.#mayOpenAt = this.#components.clock.monotonic() + pauseMs;
    for (const id of [...this.#speaking.keys()]) this.#silence(id);
    this.#hasNew = false;
    const watched = await this.#watchThese(births);
    for (const [id, birth] of watched) {
      this.#speaking.set(id, birth);
      this.#silent.delete(id);
    }
    if (this.#covers) this.#silent.clear();
    // Who started the first watch looks at everything after it.
    if (!this.#isRunning || !this.#timer) return;
    for (const id of wanted.slice(0, MAX_NEWEST)) this.#components.changed(id); // since its last look
    this.#components.missed(); // between two watches
  }

  // One folder that cannot be watched must not be the end of all others.
  async #watchThese(births: ReadonlyMap<string, string>): Promise<typeof births> {
    const attempts = [
      () => births,
      () => inSlices(birthsOf(this.#dir, births.keys(), canList)),
      () => new Map<string, string>(),
    ];
    for (const attempt of attempts) {
      const those = await attempt();
      if (!this.#isRunning) break;
      try {
        const paths = [this.#real, ...[...those.keys()].map((id) => join(this.#real, id))];
        this.#hold((this.#components.watch ?? watchFolders)(paths, this.#told));
        return those;
      } catch (error) {
        this.#failed(error);
      }
    }
    return new Map();
  }

  #failed(error: unknown): void {
    this.#hasNew = true;
    if (!this.#hasWarned) {
      log.warn("Not every folder can be watched; their changes are looked for instead", {
        reason: messageOf(error),
      });
    }
    this.#hasWarned = true;
  }

  #hold(watch: FolderWatch): void {
    this.#watch = watch;
    watch.ended?.then(() => {
      if (this.#watch === watch) this.#allSilent(); // it ended by itself
    });
  }

  readonly #told: TellOfFolder = (path) => {
    if (!this.#isRunning) return;
    this.#components.reported();
    if (path === undefined) return;
    const [id = "", inner = "", ...deeper] = relative(this.#real, path).split(sep);
    // The library's folder itself may be another one now.
    if (id === "" && !this.#covers) this.#place = "";
    if (!isItemId(id) || deeper.length > 0) return;
    if (inner.startsWith(".lanspread") || inner.endsWith(".tmp")) return;
    if (inner === "" && !this.#covers) this.#cameOrWent(id);
    this.#components.changed(id);
  };

  #cameOrWent(id: string): void {
    if (folderBirth(join(this.#dir, id)) !== undefined) this.#silence(id);
    else {
      this.#speaking.delete(id);
      this.#silent.delete(id);
    }
  }
}
