/** One download from its first step to the sentinel, contract 5.3. */
import { dirname, join } from "node:path";
import { type Clock, DaemonError } from "../core/mod.ts";
import type { ChunkMemories } from "./chunk_memory.ts";
import { ChunkThread } from "./chunk_thread.ts";
import { ChunkWriter } from "./chunk_writer.ts";
import type { PlanStrategy } from "./planned.ts";
import type { TransferFacts } from "./download_record.ts";
import { Downloader, type DownloaderComponents } from "./downloader.ts";
import { diskError, type Files, isMissing, isPlainBelow, removeIfThere } from "./files.ts";
import { writeSynced } from "./files.ts";
import { twinProblem } from "./local_item.ts";
import type { LocalItems } from "./local_items.ts";
import { sizeOf } from "./manifest.ts";
import type { MergedManifest } from "./manifest_merge.ts";
import type { Have, HaveFile } from "./messages.ts";
import { MAX_SENTINEL_BYTES, parseVersion, twinKey } from "./names.ts";
import { CHUNK_BYTES, SENTINEL, SENTINEL_PARKED, SENTINEL_TEMP } from "./names.ts";
import { bitmapHas, type ServedFile } from "./served_file.ts";
import type { DownloadProgress } from "./progress.ts";
import { inSlices } from "./slices.ts";
import type { IndexedFile, IndexStore } from "./store.ts";
import type { Transfer } from "./transfers.ts";

/** What {@link ItemDownload} uses. */
export interface ItemDownloadComponents {
  readonly files: Files;
  readonly store: IndexStore;
  readonly clock: Clock;
  readonly client: DownloaderComponents["client"];
  readonly local: Pick<LocalItems, "fetched" | "committed" | "rootOf">;
  readonly peers: DownloaderComponents["peers"];
  readonly memories: ChunkMemories;
  /** The files are there at their full size. */
  onBegin(): void;
  onProgress(progress: DownloadProgress): void;
  onBadChunk(peerId: string): void;
}

/** What is fetched, and how. */
export interface ItemDownloadInit extends MergedManifest {
  readonly selfId: string;
  readonly strategy?: PlanStrategy;
  readonly roundWaitMs?: number;
  /** Items from this size on are written past the system's cache. @default {268_435_456} */
  readonly directItemBytes?: number;
}

/** What was told of so many files counts for a millisecond: a twentieth of the time goes into telling it. */
const FILES_PER_MS = 20;
/** And for so long at most. */
const MOST_HAVE_MS = 2_000;
/** Files that are looked at between two looks at the clock. */
const HAVE_STEP = 64;

/**
 * Items from this size on are written past the system's cache: it is left to what the machine works with,
 * and fresh pages of it cost more than all else of writing (measured). A smaller item is installed out of it.
 */
const DIRECT_ITEM_BYTES = 256 * 1_024 * 1_024;

/** While what is on disk is still being looked at. */
const NOT_BEGUN: TransferFacts = {
  ...{ bytesTotal: 0, bytesDone: 0, bytesPerSecond: 0, chunksTotal: 0, chunksDone: 0 },
  ...{ chunkBytes: CHUNK_BYTES, peers: [], map: { cellChunks: 1, runs: [] } },
};

/** A download that runs, and what of it can be served already. */
export class ItemDownload {
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
  readonly #components: ItemDownloadComponents;
  readonly #init: ItemDownloadInit;
  readonly #root: string;
  readonly #thread: ChunkThread;
  readonly #writer: ChunkWriter;
  readonly #fileIndex: ReadonlyMap<string, number>;
  #downloader: Downloader | undefined;
  #have: { readonly have: Promise<Have>; readonly at: number } | undefined;

  constructor(components: ItemDownloadComponents, init: ItemDownloadInit) {
    this.sinceMs = components.clock.now();
    this.#components = components;
    this.#init = init;
    this.#root = components.local.rootOf(init.manifest.id);
    const { files, store } = components;
    const { directItemBytes = DIRECT_ITEM_BYTES } = init;
    this.#thread = new ChunkThread(components.memories.take());
    const thread = sizeOf(init.manifest) < directItemBytes ? undefined : this.#thread;
    this.#writer = new ChunkWriter({ files, store, thread }, {
      root: this.#root,
      manifest: init.manifest,
    });
    this.#fileIndex = new Map(init.manifest.files.map(({ path }, index) => [path, index]));
  }

  /**
   * Fetches the item. Whatever fails, the earlier sentinel does not come back: what is in the
   * folder may be of two versions. Verified chunks stay for the next attempt.
   *
   * @throws {DaemonError} `resource_exhausted` before anything was changed if the disk has no room.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { files } = this.#components;
    const { manifest } = this.#init;
    const sentinel = manifest.files.find(({ path }) => path === SENTINEL);
    if (!sentinel) throw this.#unusable("it has no sentinel");
    if (sentinel.size > MAX_SENTINEL_BYTES) throw this.#unusable("its sentinel is too long");
    try {
      const there = await files.facts(this.#root);
      if (!there) await files.makeFolder(this.#root);
      else if (there.kind !== "folder") throw this.#unusable(`${this.#root} is no folder`);
      else await this.#refuseTwin();
      await this.#refuseForeign();
      const before = this.#components.store.files(manifest.id);
      const wasFetched = this.#components.store.item(manifest.id)?.isFetched ?? false;
      await this.#writer.resume(signal);
      await this.#writer.checkSpace();
      await this.#park();
      await this.#fetch(signal);
      await this.#commit(wasFetched ? before : []);
    } catch (failure) {
      await this.#writer.close();
      await this.#writer.noteTimes().catch(() => undefined); // without them it is read again
      await this.#sweep();
      signal.throwIfAborted();
      throw diskError(`fetch "${manifest.id}"`, failure);
    } finally {
      await this.#thread.end();
      this.#components.memories.give(this.#thread.memory);
    }
  }

  /** The item. */
  get id(): string {
    return this.#init.manifest.id;
  }

  /** What of it is fetched. */
  get version(): string {
    return this.#init.manifest.version;
  }

  /** Content arrived. */
  received(peerId: string, bytes: number): void {
    this.#downloader?.received(peerId, bytes);
  }

  /** How far it is. */
  transfer(): Transfer {
    const { id, version } = this.#init.manifest;
    return { id, version, status: "Running", ...this.#downloader?.facts() ?? NOT_BEGUN };
  }

  /** Which chunks can be served. */
  have(): Promise<Have> {
    const now = this.#components.clock.monotonic();
    const ms = Math.min(MOST_HAVE_MS, this.#init.manifest.files.length / FILES_PER_MS);
    if (this.#have && now - this.#have.at < ms) return this.#have.have;
    const have = inSlices(this.#makeHave());
    this.#have = { have, at: now };
    return have;
  }

  *#makeHave(): Generator<void, Have> {
    const { version, files } = this.#init.manifest;
    const some: HaveFile[] = [];
    for (const [index, { path }] of files.entries()) {
      if (index % HAVE_STEP === HAVE_STEP - 1) yield;
      const bitmap = this.#writer.bitmaps[index];
      if (path !== SENTINEL && bitmap?.some((byte) => byte !== 0)) some.push({ path, bitmap });
    }
    return { version, files: some };
  }

  /** A file of which some chunks can be served. */
  file(path: string): ServedFile | undefined {
    const index = this.#fileIndex.get(path);
    const entry = index === undefined ? undefined : this.#init.manifest.files[index];
    const bitmap = index === undefined ? undefined : this.#writer.bitmaps[index];
    if (!entry || !bitmap || path === SENTINEL) return undefined;
    return {
      absolutePath: join(this.#root, ...path.split("/")),
      size: entry.size,
      mtimeMs: undefined,
      hasRange: (offset, length) => bitmapHas(bitmap, offset, length),
    };
  }

  // Some disks take two ids for one folder: one item must not be written into the other.
  async #refuseTwin(): Promise<void> {
    const { id } = this.#init.manifest;
    const names = await this.#components.files.list(dirname(this.#root));
    if (names.some(({ name }) => name === id)) return;
    const twin = names.find(({ name }) => twinKey(name) === twinKey(id))?.name;
    if (twin === undefined) return;
    throw this.#unusable(twinProblem(twin));
  }

  // Before anything is changed, and before gigabytes are fetched that could not be committed.
  async #refuseForeign(): Promise<void> {
    for (const name of [SENTINEL, SENTINEL_PARKED, SENTINEL_TEMP]) {
      const path = join(this.#root, name);
      const facts = await this.#components.files.facts(path);
      if (facts && facts.kind !== "file") {
        throw this.#unusable(`something that is no file is at ${path}; move it away first`);
      }
    }
  }

  async #park(): Promise<void> {
    const { files } = this.#components;
    try {
      await files.rename(join(this.#root, SENTINEL), join(this.#root, SENTINEL_PARKED));
    } catch (failure) {
      if (!isMissing(failure)) throw failure;
    }
    await files.syncFolder(this.#root);
  }

  async #fetch(signal: AbortSignal): Promise<void> {
    const { clock, client, peers, onProgress, onBadChunk } = this.#components;
    await this.#writer.prepare(signal);
    this.#components.onBegin();
    this.#downloader = new Downloader({
      ...{ clock, client, writer: this.#writer, thread: this.#thread },
      peers: () => peers(),
      onProgress: (progress) => onProgress(progress),
      onBadChunk: (peerId) => onBadChunk(peerId),
    }, this.#init);
    await this.#downloader.run(signal);
  }

  async #commit(before: readonly IndexedFile[]): Promise<void> {
    const { files, local } = this.#components;
    const { manifest } = this.#init;
    const bytes = this.#writer.sentinel ?? new Uint8Array();
    if (parseVersion(new TextDecoder().decode(bytes)) !== manifest.version) {
      throw this.#unusable(`its sentinel is not of version "${manifest.version}"`);
    }
    const times = await this.#writer.finish();
    await this.#removeStale(before);
    const temp = join(this.#root, SENTINEL_TEMP);
    await writeSynced(files, temp, bytes);
    // The index comes first: an item that it does not know would be shared with the user's own files.
    local.fetched(manifest, times, (await files.facts(temp))?.mtimeMs ?? 0);
    await files.rename(temp, join(this.#root, SENTINEL));
    await files.syncFolder(this.#root);
    local.committed(manifest.id);
    if (await removeIfThere(files, join(this.#root, SENTINEL_PARKED))) {
      await files.syncFolder(this.#root);
    }
  }

  // Files that the version before brought and nobody changed since; all others are their owner's.
  async #removeStale(before: readonly IndexedFile[]): Promise<void> {
    const { files } = this.#components;
    for (const { path, size, mtimeMs } of before) {
      if (this.#fileIndex.has(path) || path === SENTINEL) continue;
      const absolute = join(this.#root, ...path.split("/"));
      const facts = await files.facts(absolute);
      const isOurs = facts?.kind === "file" && facts.size === size && facts.mtimeMs === mtimeMs &&
        await isPlainBelow(files, this.#root, path);
      if (isOurs) await removeIfThere(files, absolute);
    }
  }

  #unusable(reason: string): DaemonError {
    const { id } = this.#init.manifest;
    return new DaemonError("failed_precondition", `Cannot fetch "${id}": ${reason}`);
  }

  async #sweep(): Promise<void> {
    for (const name of [SENTINEL_TEMP, SENTINEL_PARKED]) {
      await removeIfThere(this.#components.files, join(this.#root, name)).catch(() => undefined);
    }
  }
}
