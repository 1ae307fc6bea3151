import { dirname, join } from "node:path";
import { DaemonError } from "../core/mod.ts";
import type { ChunkThread } from "./chunk_thread.ts";
import type { Files, OpenFile } from "./files.ts";
import { fromHex } from "./hashing.ts";
import { keptChunks } from "./kept_chunks.ts";
import type { FileEntry, Manifest } from "./manifest.ts";
import { CHUNK_BYTES, chunkCount, SENTINEL } from "./names.ts";
import type { Chunk } from "./planned.ts";
import { prepareFiles } from "./prepare_files.ts";
import type { IndexStore, StoredChunk } from "./store.ts";

/** Files kept open while chunks arrive. */
const MAX_OPEN_FILES = 48;
/** Written bytes after which everything is synced and noted as lasting. */
export const CHECKPOINT_BYTES = 128 * 1_024 * 1_024;
/** Bytes that stay free on the disk. */
export const RESERVED_DISK_BYTES = 64 * 1_024 * 1_024;
/** Notes of chunks are gathered for so many, so that small files cost no transaction each. */
const NOTES_AT_ONCE = 64;

/** What {@link ChunkWriter} uses. */
export interface ChunkWriterComponents {
  readonly files: Files;
  readonly store: IndexStore;
  /** Writes chunks past the system's cache; without one they are written through it. */
  readonly thread?: ChunkThread | undefined;
}

interface Opened {
  readonly file: OpenFile;
  writes: number;
}

/**
 * The files of an item while it is fetched: made at their full size, filled chunk by chunk with
 * verified bytes, never shortened. The sentinel stays in memory.
 */
export class ChunkWriter {
  /** The sentinel's content, once it came. */
  sentinel: Uint8Array | undefined;
  /** One bit a chunk of each file, by its index; what is on disk and verified. */
  readonly bitmaps: readonly Uint8Array[];
  readonly #components: ChunkWriterComponents;
  readonly #root: string;
  readonly #manifest: Manifest;
  readonly #open = new Map<string, Opened>();
  readonly #dirty = new Set<string>();
  readonly #written = new Set<string>();
  /** Chunks that are written and not synced yet, by the path of their file. */
  readonly #unsynced = new Map<string, StoredChunk[]>();
  #notes: StoredChunk[] = [];
  #sinceCheckpoint = 0;
  #checkpoint: Promise<void> | undefined;

  constructor(components: ChunkWriterComponents, init: { root: string; manifest: Manifest }) {
    this.#components = components;
    this.#root = init.root;
    this.#manifest = init.manifest;
    this.bitmaps = init.manifest.files.map(({ size }) =>
      new Uint8Array(Math.ceil(chunkCount(size) / 8))
    );
  }

  /** Finds chunks that are there already: of an unfinished download, or of the version before. */
  async resume(signal: AbortSignal): Promise<void> {
    const init = { root: this.#root, manifest: this.#manifest, signal };
    for await (const { file, part } of keptChunks(this.#components, init)) {
      this.#mark(file, part.chunk);
      if (!part.isSynced) this.#dirty.add(part.path); // read out of memory, perhaps
      this.#note(part);
    }
  }

  /** Bytes that are still to come. */
  get missingBytes(): number {
    let bytes = 0;
    for (const [index, { size }] of this.#manifest.files.entries()) {
      for (let chunk = 0; chunk < chunkCount(size); chunk++) {
        if (!this.has(index, chunk)) bytes += Math.min(CHUNK_BYTES, size - chunk * CHUNK_BYTES);
      }
    }
    return bytes;
  }

  /** Whether a chunk is on disk and verified. */
  has(file: number, chunk: number): boolean {
    return ((this.bitmaps[file]?.[chunk >> 3] ?? 0) >> (chunk & 7) & 1) === 1;
  }

  /** @throws {DaemonError} `resource_exhausted` if the disk has no room for what is missing. */
  async checkSpace(): Promise<void> {
    const needed = this.missingBytes;
    const free = await this.#components.files.freeBytes(this.#root) - RESERVED_DISK_BYTES;
    if (needed <= free) return;
    throw new DaemonError(
      "resource_exhausted",
      `Cannot fetch "${this.#manifest.id}": it needs ${needed} bytes and ${
        Math.max(0, free)
      } are ` +
        "free; free disk space and try again",
    );
  }

  /** Makes folders, and files at their full size, see {@link prepareFiles}. */
  async prepare(signal: AbortSignal): Promise<void> {
    await prepareFiles(this.#components.files, {
      ...{ root: this.#root, manifest: this.#manifest, signal },
      isWhole: (file) => {
        const chunks = chunkCount(this.#entry(file).size);
        return Array.from({ length: chunks }, (_, chunk) => this.has(file, chunk)).every(Boolean);
      },
      onFresh: (file) => this.#forget(file),
    });
  }

  /** Writes a verified chunk at its place. */
  async write(chunk: Chunk, bytes: Uint8Array): Promise<void> {
    const entry = this.#entry(chunk.file);
    if (entry.path === SENTINEL) this.sentinel = bytes.slice();
    else {
      await this.#using(entry.path, (file) => file.write(bytes, chunk.chunk * CHUNK_BYTES));
      this.#dirty.add(entry.path);
      this.#written.add(entry.path);
      const hash = fromHex(entry.chunks[chunk.chunk] ?? "");
      this.#note({ path: entry.path, chunk: chunk.chunk, hash, isSynced: false });
    }
    this.#mark(chunk.file, chunk.chunk);
    this.#sinceCheckpoint += bytes.byteLength;
    if (this.#sinceCheckpoint < CHECKPOINT_BYTES) return;
    this.#sinceCheckpoint = 0;
    await this.#checkpoint; // one at a time; a slow disk slows the download
    this.#checkpoint = this.checkpoint();
    this.#checkpoint.catch(() => undefined); // told by the next one
  }

  /** Empties a file that is fetched as a whole; the only time one gets shorter. */
  async restart(fileIndex: number): Promise<void> {
    const { path } = this.#entry(fileIndex);
    this.#forget(fileIndex);
    if (path !== SENTINEL) await this.#using(path, (file) => file.truncate(0));
  }

  /** Syncs what was written and notes it as lasting. */
  async checkpoint(): Promise<void> {
    this.#flushNotes();
    const paths = [...this.#dirty];
    this.#dirty.clear();
    // What comes after this moment may miss the sync.
    const due = new Map(this.#unsynced);
    this.#unsynced.clear();
    const parts = [...due.values()].flat();
    const { store } = this.#components;
    const times = new Map<string, number>();
    try {
      for (const path of paths) {
        await this.#using(path, async (file) => {
          await file.sync();
          times.set(path, (await file.facts()).mtimeMs);
        });
      }
    } catch (failure) {
      for (const path of paths) this.#dirty.add(path);
      // The memory of the system may say otherwise, until it is needed for something else.
      store.dropParts(this.#manifest.id, parts);
      throw failure;
    }
    store.putParts(this.#manifest.id, parts.map((part) => ({ ...part, isSynced: true })));
    store.putPartTimes(this.#manifest.id, times);
  }

  /** Notes when files were written last, before they are left: one that is older or newer is read again. */
  async noteTimes(): Promise<void> {
    const { files, store } = this.#components;
    const times = new Map<string, number>();
    for (const path of this.#written) {
      const facts = await files.facts(this.#path(path));
      if (facts?.kind === "file") times.set(path, facts.mtimeMs);
    }
    store.putPartTimes(this.#manifest.id, times);
  }

  /**
   * Makes everything last and looks at the sizes.
   *
   * @returns When each file was changed last, for the index.
   */
  async finish(): Promise<Map<string, number>> {
    const { files } = this.#components;
    await this.#checkpoint; // a disk tells of lost bytes once: a further sync would succeed
    await this.checkpoint();
    await this.close();
    const times = new Map<string, number>();
    const folders = new Set<string>();
    for (const { path, size } of this.#manifest.files) {
      if (path === SENTINEL) continue;
      const facts = await files.facts(this.#path(path));
      if (facts?.kind !== "file" || facts.size !== size) {
        throw new DaemonError(
          "data_loss",
          `Cannot finish ${path}: it was changed while it was fetched`,
        );
      }
      times.set(path, facts.mtimeMs);
      for (let at = dirname(path); at !== "." && !folders.has(at); at = dirname(at)) {
        folders.add(at);
      }
    }
    for (const folder of folders) await files.syncFolder(this.#path(folder));
    return times;
  }

  /** Closes every file; what was noted stays noted. Safe to call twice. */
  async close(): Promise<void> {
    await this.#checkpoint?.catch(() => undefined);
    this.#flushNotes();
    const opened = [...this.#open.values()];
    this.#open.clear();
    for (const { file } of opened) await file.close().catch(() => undefined);
  }

  #path(path: string): string {
    return join(this.#root, ...path.split("/"));
  }

  #entry(index: number): FileEntry {
    const entry = this.#manifest.files[index];
    if (entry) return entry;
    throw new DaemonError("internal", `Cannot find file ${index} of "${this.#manifest.id}"`);
  }

  #mark(file: number, chunk: number): void {
    const bitmap = this.bitmaps[file];
    if (bitmap) bitmap[chunk >> 3] = (bitmap[chunk >> 3] ?? 0) | 1 << (chunk & 7);
  }

  #forget(fileIndex: number): void {
    const { path } = this.#entry(fileIndex);
    this.bitmaps[fileIndex]?.fill(0);
    if (path === SENTINEL) return;
    this.#flushNotes();
    this.#unsynced.delete(path);
    this.#components.store.removeParts(this.#manifest.id, path);
  }

  #note(part: StoredChunk): void {
    this.#notes.push(part);
    if (!part.isSynced) this.#remember(part);
    const isLarge = part.isSynced === false && this.#manifest.files.length < NOTES_AT_ONCE;
    if (isLarge || this.#notes.length >= NOTES_AT_ONCE) this.#flushNotes();
  }

  #remember(part: StoredChunk): void {
    const known = this.#unsynced.get(part.path);
    if (known) known.push(part);
    else this.#unsynced.set(part.path, [part]);
  }

  #flushNotes(): void {
    const notes = this.#notes;
    this.#notes = [];
    if (notes.length > 0) this.#components.store.putParts(this.#manifest.id, notes);
  }

  async #using<T>(path: string, use: (file: OpenFile) => Promise<T>): Promise<T> {
    const { files, thread } = this.#components;
    const opened = this.#open.get(path) ??
      { file: await files.open(this.#path(path), "update", { thread }), writes: 0 };
    const raced = this.#open.get(path);
    if (raced && raced !== opened) {
      await opened.file.close();
      return await this.#using(path, use);
    }
    this.#open.delete(path);
    this.#open.set(path, opened);
    opened.writes++;
    try {
      return await use(opened.file);
    } finally {
      opened.writes--;
      await this.#closeSurplus();
    }
  }

  async #closeSurplus(): Promise<void> {
    if (this.#open.size <= MAX_OPEN_FILES) return;
    for (const [path, { file, writes }] of this.#open) {
      if (writes > 0) continue;
      this.#open.delete(path);
      return await file.close();
    }
  }
}
