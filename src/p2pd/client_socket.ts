import type { Buffer } from "node:buffer";
import { DaemonError, guard, type LocalSocket } from "../core/mod.ts";
import { FrameReader } from "./wire/frames.ts";

/** Bytes that may wait before the socket is read no further: a long message and a piece more. */
const READ_AHEAD_BYTES = 256 * 1024;

/**
 * A client's connection as a sequence of messages. Reading waits for whoever asks, so a client
 * that sends faster than it is answered fills its own socket; writing waits for the client.
 */
export class ClientSocket {
  readonly #socket: LocalSocket;
  readonly #closed = new AbortController();
  #reader: FrameReader;
  #hasEnded = false;
  #isReleased = false;
  #isWanting = false;
  #wake: (() => void) | undefined;

  constructor(socket: LocalSocket, maxBytes?: number) {
    this.#socket = socket;
    this.#reader = new FrameReader(maxBytes);
    socket.setNoDelay?.(true);
    socket.on("error", () => undefined); // "close" follows
    socket.on("close", this.#onClose);
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
  }

  /** Aborts once the connection is gone. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Whether the client sends nothing more; it may be gone, or only read. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Other lengths from now on. */
  limitTo(maxBytes: number): void {
    const rest = this.#reader.rest();
    this.#reader = new FrameReader(maxBytes);
    this.#reader.push(rest);
  }

  /**
   * The next message; undefined when none can follow.
   *
   * @throws {DaemonError} `out_of_range` for a length that is none, or over the limit.
   */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const message = this.#reader.next();
      if (message) return message;
      if (this.#hasEnded) return undefined;
      await this.#arrival();
    }
  }

  /** Resolves once the client sends nothing more; bytes before that are dropped. */
  async drain(): Promise<void> {
    while (!this.#hasEnded) {
      this.#reader.rest();
      await this.#arrival();
    }
  }

  /**
   * Writes; resolves when there is room for more.
   *
   * @throws {DaemonError} `cancelled` if the client is gone.
   */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.closed.aborted || !this.#socket.writable) throw gone();
    if (this.#socket.write(bytes)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const goOn = () => resolve();
    this.#socket.once("drain", goOn);
    this.closed.addEventListener("abort", goOn, { once: true });
    await promise;
    this.#socket.removeListener("drain", goOn);
    this.closed.removeEventListener("abort", goOn);
    if (this.closed.aborted) throw gone();
  }

  /** Gives the socket away, paused, with what was read of it and not used. */
  release(): { socket: LocalSocket; rest: Uint8Array; hasEnded: boolean } {
    this.#isReleased = true;
    this.#socket.pause();
    this.#socket.removeListener("data", this.#onData);
    this.#socket.removeListener("end", this.#onEnd);
    return { socket: this.#socket, rest: this.#reader.rest(), hasEnded: this.#hasEnded };
  }

  /** Gives the socket away as if nothing had been read of it but the messages. */
  takeOver(): LocalSocket {
    const { socket, rest } = this.release();
    if (rest.byteLength > 0) socket.unshift(rest);
    // Its new owner may take it for one that was never read, which flows to the first listener.
    const onListener = (event: string) => {
      if (event !== "data") return;
      socket.removeListener("newListener", onListener);
      queueMicrotask(() => socket.resume());
    };
    socket.on("newListener", onListener);
    return socket;
  }

  /** Closes once what was written is sent. */
  end(): void {
    if (this.#isReleased) return;
    this.#socket.resume(); // unread bytes at close could cost the client our last answer
    this.#socket.end(() => this.#socket.destroySoon());
  }

  /** Closes at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  #arrival(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    this.#isWanting = true;
    if (this.#socket.isPaused()) this.#socket.resume();
    return promise;
  }

  #awaken(): void {
    this.#isWanting = false;
    this.#wake?.();
  }

  readonly #onData = (chunk: Buffer): void =>
    guard("read a p2pd request", () => {
      this.#reader.push(chunk);
      if (!this.#isWanting && this.#reader.buffered > READ_AHEAD_BYTES) this.#socket.pause();
      this.#awaken();
    });

  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    this.#awaken();
  };

  readonly #onClose = (): void => {
    this.#hasEnded = true;
    this.#closed.abort();
    this.#awaken();
    // The runtime keeps something of every closed socket; it need not keep what is ours.
    if (this.#isReleased) return;
    this.#socket.removeListener("data", this.#onData);
    this.#socket.removeListener("end", this.#onEnd);
    this.#socket.removeListener("close", this.#onClose);
  };
}

function gone(): DaemonError {
  return new DaemonError("cancelled", "Cannot answer: the client is gone");
}
