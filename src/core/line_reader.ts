import { Buffer } from "node:buffer";

/** One line without its newline, or the news that a line was longer than any may be. */
export type Line = Buffer | "too large";

const NEWLINE = 0x0a;
const EMPTY = Buffer.alloc(0);

/**
 * Cuts a stream of bytes into lines, as they are asked for; a last line may end with the stream
 * instead of a newline, contract 2.1.
 */
export class LineReader {
  readonly #maxBytes: number;
  readonly #chunks: Buffer[] = [];
  #parts: Buffer[] = [];
  #length = 0;
  #isEnded = false;
  #isOver = false;

  /** @param maxBytes Longest line, without its newline. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether there are bytes that were not looked at yet. */
  get hasMore(): boolean {
    return this.#chunks.length > 0 && !this.#isOver;
  }

  /** Takes the next bytes of the stream. */
  push(chunk: Buffer): void {
    if (!this.#isOver && chunk.length > 0) this.#chunks.push(chunk);
  }

  /** Nothing follows: what is left is the last line. */
  end(): void {
    this.#isEnded = true;
  }

  /** The next complete line, if there is one; nothing follows "too large". */
  next(): Line | undefined {
    for (let chunk = this.#chunks.shift(); chunk; chunk = this.#chunks.shift()) {
      const newline = chunk.indexOf(NEWLINE);
      const part = newline < 0 ? chunk : chunk.subarray(0, newline);
      if (this.#length + part.length > this.#maxBytes) return this.#giveUp();
      if (newline >= 0) {
        if (newline + 1 < chunk.length) this.#chunks.unshift(chunk.subarray(newline + 1));
        return this.#finish(part);
      }
      this.#parts.push(part);
      this.#length += part.length;
    }
    return this.#isEnded && this.#length > 0 ? this.#finish(EMPTY) : undefined;
  }

  #finish(last: Buffer): Buffer {
    const line = this.#parts.length > 0 ? Buffer.concat([...this.#parts, last]) : last;
    this.#parts = [];
    this.#length = 0;
    return line;
  }

  #giveUp(): Line {
    this.#isOver = true;
    this.#parts = [];
    this.#chunks.length = 0;
    this.#length = 0;
    return "too large";
  }
}
