import type { Connection, Stream } from "@libp2p/interface";
import { DaemonError } from "../core/mod.ts";
import { writeAll } from "./streams.ts";

/** Bytes that wait for a reader before the peer is asked to hold back. */
export const MAX_UNREAD_BYTES = 262_144;

/** One stream to a peer: read when you want, write as the peer takes it; memory stays flat. */
export class PeerStream {
  readonly peerId: string;
  /** IP address at the other end, as the link sees it. */
  readonly host: string;
  readonly #stream: Stream;
  #chunks: Uint8Array[] = [];
  #unread = 0;
  #isEnded: boolean;
  // Whether the peer ended its side in order.
  #isWhole: boolean;
  #failure: unknown;
  #wake: (() => void) | undefined;
  #isResuming = false;

  constructor(stream: Stream, connection: Pick<Connection, "remotePeer" | "remoteAddr">) {
    this.#stream = stream;
    this.peerId = connection.remotePeer.toString();
    this.host = connection.remoteAddr.toString().split("/")[2] ?? "";
    const hasEnded = stream.readableEnded;
    this.#isEnded = hasEnded && stream.readBufferLength === 0;
    this.#isWhole = stream.status === "open" && stream.remoteWriteStatus === "closed";
    stream.addEventListener("remoteCloseWrite", () => this.#isWhole = true);
    stream.addEventListener("message", ({ data }) => this.#receive(data.subarray()));
    // libp2p ends streams of a link that went away without an error as if the peer had ended them.
    stream.addEventListener("end", () => {
      this.#end(this.#isWhole ? undefined : new TypeError("the link ended"));
    });
    stream.addEventListener("close", (event) => {
      if (event.error) this.#end(event.error);
    });
    // Behind what came together with the answer about the protocol, which is told in a moment.
    if (hasEnded) queueMicrotask(() => this.#end());
    if (stream.status === "aborted" || stream.status === "reset") this.#end(new TypeError("reset"));
  }

  /**
   * The next bytes; undefined once the peer ended its side.
   *
   * @throws {DaemonError} `aborted` if the stream broke.
   */
  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk) {
        this.#unread -= chunk.byteLength;
        this.#holdBack();
        return chunk;
      }
      if (this.#failure !== undefined) {
        const cause = this.#failure;
        throw new DaemonError("aborted", "Cannot read from the peer: the stream broke", { cause });
      }
      if (this.#isEnded) return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  /** Writes everything; waits while the peer's window is full. @throws {DaemonError} */
  async write(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    await writeAll(this.#stream, bytes, signal);
  }

  /** Ends the own side; the peer reads to the end. */
  async closeWrite(signal?: AbortSignal): Promise<void> {
    await this.#stream.close(signal ? { signal } : {});
  }

  /** Ends both sides at once; safe to call again. */
  abort(reason: string): void {
    const error = new DaemonError("aborted", reason);
    this.#end(error);
    this.#stream.abort(error);
  }

  #receive(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#unread += chunk.byteLength;
    this.#holdBack();
    this.#wake?.();
  }

  #holdBack(): void {
    if (this.#isResuming) return;
    const stream = this.#stream;
    if (stream.readStatus === "paused" && this.#unread < MAX_UNREAD_BYTES) {
      // This hands out what waited and then opens the window, which would undo a pause in between.
      this.#isResuming = true;
      stream.resume();
      this.#isResuming = false;
    }
    if (stream.readStatus === "readable" && this.#unread >= MAX_UNREAD_BYTES) stream.pause();
  }

  #end(failure?: unknown): void {
    this.#failure ??= failure;
    this.#isEnded = true;
    this.#wake?.();
  }
}
