/** Buffers of one size that are used again: fresh memory costs as much as hashing it (measured). */
export class BufferPool {
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  readonly #size: number;
  readonly #kept: number;

  /** @param kept Most buffers that wait for their next use. */
  constructor(size: number, kept: number) {
    this.#size = size;
    this.#kept = kept;
  }

  /** A buffer with bytes of no meaning. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#free.pop() ?? new Uint8Array(this.#size);
  }

  /** Gives one back; nobody may use it any more. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    if (this.#free.length < this.#kept && buffer.byteLength === this.#size) this.#free.push(buffer);
  }
}
