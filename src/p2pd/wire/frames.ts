import { Buffer } from "node:buffer";
import { DaemonError } from "../../core/mod.ts";

/** Longest message in bytes, contract 3. */
export const MAX_MESSAGE_BYTES = 1 << 22;
/** Bytes of the longest length that is read: the limit takes four, and Go's reader allows ten. */
const MAX_VARINT_BYTES = 10;

/** Cuts a stream of bytes into messages, each behind its length as an unsigned varint. */
export class FrameReader {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #buffered = 0;

  constructor(limit: number = MAX_MESSAGE_BYTES) {
    this.#limit = limit;
  }

  /** Bytes that wait. */
  get buffered(): number {
    return this.#buffered;
  }

  /** Adds bytes that arrived. */
  push(bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return;
    this.#chunks.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    this.#buffered += bytes.byteLength;
  }

  /**
   * The next whole message, or undefined while it is not there.
   *
   * @throws {DaemonError} `out_of_range` for a length over the limit or none at all.
   */
  next(): Uint8Array | undefined {
    const prefix = this.#length();
    if (prefix === undefined) return undefined;
    const end = prefix.size + prefix.length;
    if (this.#buffered < end) return undefined;
    const all = this.#joined();
    this.#keep(all.subarray(end));
    return all.subarray(prefix.size, end);
  }

  /** Everything that waits; what follows is no message. */
  rest(): Uint8Array {
    const all = this.#joined();
    this.#keep(Buffer.alloc(0));
    return all;
  }

  #length(): { length: number; size: number } | undefined {
    if (this.#buffered === 0) return undefined;
    let head = this.#chunks[0] ?? Buffer.alloc(0);
    if (head.length < MAX_VARINT_BYTES && this.#chunks.length > 1) head = this.#joined();
    let length = 0;
    for (let at = 0; at < MAX_VARINT_BYTES; at++) {
      const byte = head[at];
      if (byte === undefined) return undefined;
      length += (byte & 0x7f) * 2 ** (7 * at);
      if (length > this.#limit) break;
      if (byte < 0x80) return { length, size: at + 1 };
    }
    throw new DaemonError("out_of_range", `Cannot read a message of over ${this.#limit} bytes`);
  }

  // Joined only when a message is whole, so many small pieces of a long one cost no copies each.
  #joined(): Buffer {
    if (this.#chunks.length === 1 && this.#chunks[0]) return this.#chunks[0];
    const all = Buffer.concat(this.#chunks, this.#buffered);
    this.#chunks = [all];
    return all;
  }

  #keep(rest: Buffer): void {
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#buffered = rest.length;
  }
}
