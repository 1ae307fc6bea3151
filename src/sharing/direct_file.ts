/** Large writes past the system's cache, on another thread. */
import type { FileHandle } from "node:fs/promises";
import { BULK_BYTES } from "./bulk_file.ts";
import { type ChunkThread, DIRECT_BYTES, type ThreadFile } from "./chunk_thread.ts";

let keys = 0;

/** An open file as the thread for chunks knows it. */
export class DirectFile {
  readonly #thread: ChunkThread;
  readonly #handle: FileHandle;
  readonly #path: string;
  #file: Promise<ThreadFile | undefined> | undefined;

  constructor(thread: ChunkThread, handle: FileHandle, path: string) {
    this.#thread = thread;
    this.#handle = handle;
    this.#path = path;
  }

  /** @returns How many bytes were written, from the first; the others are for another way. */
  async write(bytes: Uint8Array, position: number): Promise<number> {
    const length = bytes.byteLength - bytes.byteLength % DIRECT_BYTES;
    const isPlaced = position % DIRECT_BYTES === 0 && bytes.byteOffset % DIRECT_BYTES === 0;
    if (!this.#thread.knows(bytes) || !isPlaced || length < BULK_BYTES) return 0;
    const file = await (this.#file ??= this.#identify());
    if (!file) return 0;
    return await this.#thread.write(file, bytes.subarray(0, length), position) ? length : 0;
  }

  /** Closes it there. */
  async close(): Promise<void> {
    const file = await this.#file?.catch(() => undefined);
    if (file) await this.#thread.close(file.key);
  }

  // Some file systems have no numbers for their files: nothing tells then that a path still names ours.
  async #identify(): Promise<ThreadFile | undefined> {
    const { dev, ino } = await this.#handle.stat({ bigint: true });
    if (!ino) return undefined;
    return { key: ++keys, path: this.#path, identity: `${dev}:${ino}` };
  }
}
