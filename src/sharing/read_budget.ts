import { DaemonError } from "../core/mod.ts";

/** Bytes of long answers that are being read, of all peers: three of the longest there are. */
export const MAX_READING_BYTES = 96 * 1_024 * 1_024;

interface Reading {
  bytes: number;
  readonly abort: AbortController;
}

/** Bounds what is read of all long answers at a time; where it is too much, the longest gives way. */
export class ReadBudget {
  readonly #mostBytes: number;
  readonly #readings = new Set<Reading>();
  #bytes = 0;

  /** @param mostBytes Of all together. @default {100_663_296} */
  constructor(mostBytes: number = MAX_READING_BYTES) {
    this.#mostBytes = mostBytes;
  }

  /**
   * Reads one answer.
   *
   * @param read Given a signal that ends it where it has to give way, and tells of what it reads.
   * @throws {DaemonError} `resource_exhausted` if it had to.
   */
  async run<T>(
    signal: AbortSignal,
    read: (signal: AbortSignal, onBytes: (bytes: number) => void) => Promise<T>,
  ): Promise<T> {
    const reading: Reading = { bytes: 0, abort: new AbortController() };
    this.#readings.add(reading);
    try {
      return await read(AbortSignal.any([signal, reading.abort.signal]), (bytes) => {
        if (this.#readings.has(reading)) this.#add(reading, bytes);
      });
    } finally {
      this.#end(reading);
    }
  }

  #add(reading: Reading, bytes: number): void {
    reading.bytes += bytes;
    this.#bytes += bytes;
    while (this.#bytes > this.#mostBytes) {
      let longest = reading;
      for (const other of this.#readings) if (other.bytes > longest.bytes) longest = other;
      this.#end(longest);
      const problem = `${longest.bytes} bytes of it are too many beside what others send`;
      longest.abort.abort(
        new DaemonError("resource_exhausted", `Cannot read a peer's answer: ${problem}`),
      );
    }
  }

  #end(reading: Reading): void {
    if (this.#readings.delete(reading)) this.#bytes -= reading.bytes;
  }
}
