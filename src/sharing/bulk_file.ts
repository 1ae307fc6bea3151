/** Large reads and writes of a file on other threads: node:fs does them on the event loop's own (measured). */
import type { FileHandle } from "node:fs/promises";

/** From this size on another thread is worth its price. */
export const BULK_BYTES = 65_536;

/**
 * A second handle of an open file for large pieces. The first one was opened in such a way that no
 * link is followed; the second one is used only if it is the same file.
 */
export class BulkFile {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #canWrite: boolean;
  #twin: Promise<Deno.FsFile | undefined> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  /** Where the second handle stands; unknown while a piece is under way, and after one that failed. */
  #position: number | undefined = 0;

  constructor(handle: FileHandle, path: string, canWrite: boolean) {
    this.#handle = handle;
    this.#path = path;
    this.#canWrite = canWrite;
  }

  /** Bytes read at the position; fewer only at the end of the file. Undefined if there is no second handle. */
  read(buffer: Uint8Array, position: number): Promise<number | undefined> {
    return this.#inTurn(position, async (file) => {
      let filled = 0;
      while (filled < buffer.byteLength) {
        const count = await file.read(buffer.subarray(filled));
        if (count === null) break;
        filled += count;
      }
      this.#position = position + filled;
      return filled;
    });
  }

  /** Writes all bytes at the position. @returns Undefined if there is no second handle. */
  write(bytes: Uint8Array, position: number): Promise<true | undefined> {
    return this.#inTurn(position, async (file) => {
      for (let done = 0; done < bytes.byteLength;) done += await file.write(bytes.subarray(done));
      this.#position = position + bytes.byteLength;
      return true as const;
    });
  }

  /** Closes the second handle; the first one is its owner's. */
  async close(): Promise<void> {
    await this.#last.catch(() => undefined);
    (await this.#twin)?.close();
  }

  // The position belongs to the handle, so there is one piece at a time.
  async #inTurn<T>(
    position: number,
    work: (file: Deno.FsFile) => Promise<T>,
  ): Promise<T | undefined> {
    this.#twin ??= this.#open();
    const file = await this.#twin;
    if (!file) return undefined;
    const turn = this.#last.catch(() => undefined).then(async () => {
      // One piece mostly follows another: a seek is one more way to another thread.
      if (this.#position !== position) await file.seek(position, 0);
      this.#position = undefined;
      return await work(file);
    });
    this.#last = turn;
    return await turn;
  }

  async #open(): Promise<Deno.FsFile | undefined> {
    const file = await Deno.open(this.#path, { read: true, write: this.#canWrite })
      .catch(() => undefined);
    if (!file) return undefined;
    const [ours, twin] = await Promise.all([this.#handle.stat({ bigint: true }), file.stat()]);
    if (twin.ino !== null && BigInt(twin.ino) === ours.ino && BigInt(twin.dev) === ours.dev) {
      return file;
    }
    file.close();
    return undefined;
  }
}
