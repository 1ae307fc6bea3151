import type { Connection, Stream } from "@libp2p/interface";
import process from "node:process";
import { DaemonError, spend } from "../core/mod.ts";
import { holdsPlaintext } from "./secure_channel.ts";
import { paceWindow } from "./stream_window.ts";
import { writeAll } from "./streams.ts";

/** Most bytes of one frame: fewer frames cost less, and others on the connection must not wait long. */
const FRAME_BYTES = 262_144;

/** A stream of one of our own protocols, bytes in and bytes out. */
export interface ByteStream {
  readonly peerId: string;
  /**
   * The next bytes, the caller's alone; undefined once the peer ended its side.
   *
   * @throws {DaemonError} `aborted` if the stream broke, or the signal's reason.
   */
  read(signal?: AbortSignal): Promise<Uint8Array | undefined>;
  /**
   * Fills a buffer as bytes come: one wait for all of them.
   *
   * @param onPart Told how many came, each time.
   * @returns How many there are; fewer than asked for only where the peer ended its side.
   * @throws {DaemonError} `aborted` if the stream broke, or the signal's reason.
   */
  fill(
    buffer: Uint8Array,
    signal: AbortSignal,
    onPart?: (bytes: number) => void,
  ): Promise<number>;
  /** Waits for the peer whenever its window is full. The bytes must not change until they are {@link taken}. */
  write(bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Whether everything written has been sent on, so that its buffers may be used again; waits a moment for it. */
  taken(): Promise<boolean>;
  /** Ends our side; what was written still arrives. */
  closeWrite(signal?: AbortSignal): Promise<void>;
  /** Ends both sides at once. */
  abort(reason: Error): void;
}

// Where bytes go that somebody waits for.
interface Sink {
  readonly buffer: Uint8Array;
  readonly onPart: ((bytes: number) => void) | undefined;
  filled: number;
  /** Of the one who was told. */
  failure?: unknown;
}

/** Parts of libp2p's connection that are not its public interface. */
interface Muxed extends Connection {
  readonly muxer?: { readonly maConn?: object };
}

/** A libp2p stream as one; read by events, because its iterator queues without bound (measured). */
export class Libp2pByteStream implements ByteStream {
  readonly peerId: string;
  readonly #stream: Stream;
  readonly #encrypted: object | undefined;
  readonly #maxUnreadBytes: number;
  #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #wasRead: () => void = () => undefined;
  #hasEnded = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  #sink: Sink | undefined;

  constructor(
    stream: Stream,
    connection: Connection,
    { peerId, maxUnreadBytes, paceBytes }: {
      peerId: string;
      maxUnreadBytes: number;
      paceBytes?: number | undefined;
    },
  ) {
    this.peerId = peerId;
    this.#stream = stream;
    this.#encrypted = (connection as Muxed).muxer?.maConn;
    this.#maxUnreadBytes = maxUnreadBytes;
    if (paceBytes !== undefined) {
      this.#wasRead = paceWindow(stream, paceBytes, () => this.#unreadBytes);
    }
    stream.addEventListener("message", ({ data }) => {
      // A list of pieces is taken piece by piece, which spares a copy of everything.
      for (const piece of data instanceof Uint8Array ? [data] : data) this.#arrived(piece);
    });
    stream.addEventListener("remoteCloseWrite", () => this.#end());
    stream.addEventListener("close", ({ error }) => this.#end(error));
    // What came before is told in a microtask that the first listener set off.
    if (stream.remoteWriteStatus === "closed") queueMicrotask(() => this.#end());
  }

  async read(signal?: AbortSignal): Promise<Uint8Array | undefined> {
    for (;;) {
      const bytes = this.#unread.shift();
      if (bytes) {
        this.#unreadBytes -= bytes.byteLength;
        this.#wasRead();
        return bytes;
      }
      if (this.#failure) throw this.#failure;
      if (this.#hasEnded) return undefined;
      await this.#more(signal);
    }
  }

  async fill(
    buffer: Uint8Array,
    signal: AbortSignal,
    onPart?: (bytes: number) => void,
  ): Promise<number> {
    const sink: Sink = { buffer, onPart, filled: 0 };
    try {
      while (sink.filled < buffer.byteLength) {
        const bytes = this.#unread.shift();
        if (bytes) {
          this.#unreadBytes -= bytes.byteLength;
          this.#pour(bytes, sink);
          this.#wasRead();
          continue;
        }
        if (this.#failure) throw this.#failure;
        if (this.#hasEnded) break;
        this.#sink = sink;
        await this.#more(signal);
        if (sink.failure) throw sink.failure;
      }
      return sink.filled;
    } finally {
      this.#sink = undefined;
    }
  }

  write(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    return writeAll(this.#stream, bytes, signal, FRAME_BYTES);
  }

  async taken(): Promise<boolean> {
    if (!this.#holds()) return true;
    await new Promise<void>((resolve) => process.nextTick(resolve)); // what was gathered goes then
    return !this.#holds();
  }

  async closeWrite(signal?: AbortSignal): Promise<void> {
    await this.#stream.close(signal ? { signal } : {});
  }

  abort(reason: Error): void {
    this.#unread = [];
    this.#stream.abort(reason);
  }

  #holds(): boolean {
    if (this.#stream.writeBufferLength > 0) return true;
    return this.#encrypted === undefined || holdsPlaintext(this.#encrypted);
  }

  // Until there is something to look at.
  async #more(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    this.#wake = wake;
    signal?.addEventListener("abort", wake, { once: true });
    await promise;
    signal?.removeEventListener("abort", wake);
    signal?.throwIfAborted();
  }

  // What does not fit stays to be read.
  #pour(bytes: Uint8Array, sink: Sink): void {
    const part = bytes.subarray(0, sink.buffer.byteLength - sink.filled);
    const count = part.byteLength; // spent bytes have no length any more
    sink.buffer.set(part, sink.filled);
    sink.filled += count;
    if (count < bytes.byteLength) {
      this.#unread.unshift(bytes.subarray(count));
      this.#unreadBytes += bytes.byteLength - count;
    } else spend(bytes);
    sink.onPart?.(count);
  }

  #arrived(bytes: Uint8Array): void {
    const sink = this.#sink;
    if (sink && this.#unread.length === 0 && sink.filled < sink.buffer.byteLength) {
      try {
        this.#pour(bytes, sink);
      } catch (failure) {
        sink.failure = failure;
        this.#sink = undefined;
      }
      if (sink.failure || sink.filled === sink.buffer.byteLength) this.#wake?.();
      return;
    }
    this.#unread.push(bytes);
    this.#unreadBytes += bytes.byteLength;
    if (this.#unreadBytes > this.#maxUnreadBytes) {
      const problem = `it sent over ${this.#maxUnreadBytes} bytes that nobody asked for`;
      const reason = new DaemonError(
        "resource_exhausted",
        `Peer "${this.peerId}" is cut off: ${problem}`,
      );
      this.#failure = reason;
      this.abort(reason);
    }
    this.#wake?.();
  }

  #end(error?: Error): void {
    if (error && !this.#hasEnded) {
      this.#failure ??= new DaemonError("aborted", "The stream broke", { cause: error });
    }
    this.#hasEnded = true;
    this.#wake?.();
  }
}
