import type { Stream, StreamMessageEvent } from "@libp2p/interface";

/**
 * Bytes of a stream that may wait to be worked off before it is read no further; two of the longest
 * pubsub messages, so that a whole one always fits.
 */
const MAX_WAITING_BYTES = 2 * (1_048_576 + 65_536);

/**
 * Holds a stream back while what came of it is not worked off. As an iterable a libp2p stream takes
 * in whatever comes, however slow its reader is.
 */
export class StreamBrake {
  readonly #stream: Stream;
  readonly #closed = new AbortController();
  #waiting = 0;

  constructor(stream: Stream) {
    this.#stream = stream;
    const onMessage = ({ data }: StreamMessageEvent) => {
      this.#waiting += data.byteLength;
      // Resuming delivers what came meanwhile and only then asks for more: a pause in between is lost.
      if (this.#waiting > MAX_WAITING_BYTES) queueMicrotask(() => this.#pause());
    };
    stream.addEventListener("message", onMessage);
    const onClose = () => {
      stream.removeEventListener("message", onMessage);
      this.#closed.abort();
    };
    stream.addEventListener("close", onClose, { once: true });
    if (stream.status !== "open") onClose();
  }

  /** Aborts once the stream is closed. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** So many bytes are worked off. */
  release(bytes: number): void {
    this.#waiting = Math.max(0, this.#waiting - bytes);
    if (this.#waiting > MAX_WAITING_BYTES / 2) return;
    if (this.#stream.status === "open" && this.#stream.readStatus === "paused") {
      this.#stream.resume();
    }
  }

  #pause(): void {
    if (this.#waiting <= MAX_WAITING_BYTES || this.#stream.readStatus !== "readable") return;
    this.#stream.pause();
  }
}
