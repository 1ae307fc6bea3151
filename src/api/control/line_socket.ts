import type { Buffer } from "node:buffer";
import {
  DaemonError,
  guard,
  type Line,
  LineReader,
  type LocalSocket,
  MAX_LINE_BYTES,
  pause,
  withDeadline,
} from "../../core/mod.ts";

/** Requests of one connection that wait; then it is no longer read, contract 2.1. */
export const MAX_QUEUED_REQUESTS = 64;
/** Bytes of one connection that wait; a line that began before may pass them. */
const MAX_QUEUED_BYTES = MAX_LINE_BYTES;
/** Between two looks whether somebody who sends nothing more still listens. */
const LOOK_MS = 15_000;
/** How long a client may take to fetch its last answer and close. */
const LINGER_MS = 1_000;

/**
 * A socket that speaks in lines: gives the lines that arrived, one by one, and stops reading while
 * enough of them wait; writes whole lines, and waits while the other side does not read.
 */
export class LineSocket {
  readonly #socket: LocalSocket;
  readonly #reader = new LineReader(MAX_LINE_BYTES);
  readonly #queue: Line[] = [];
  #queuedBytes = 0;
  readonly #closed = new AbortController();
  #hasEnded = false;
  #isFinishing = false;
  #wake: (() => void) | undefined;
  #isLooking = false;
  /** Whether the other side waits for lines that nobody has to ask for. */
  isListenedTo: () => boolean = () => false;
  /** Told when further lines arrived. */
  onArrival: (() => void) | undefined;

  constructor(socket: LocalSocket) {
    this.#socket = socket;
    socket.setNoDelay?.(true);
    socket.on("error", () => undefined); // "close" follows
    socket.on("close", () => guard("end a control connection", () => this.#onClose()));
    socket.on("data", (chunk: Buffer) => guard("read a request", () => this.#onData(chunk)));
    socket.on("end", () => guard("read a last request", () => this.#onEnd()));
  }

  /** Aborts once the connection is gone. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Whether the other side sends nothing more; it may be gone, or only read. */
  get isHalfClosed(): boolean {
    return this.#hasEnded;
  }

  /** Lines that wait. */
  get queued(): readonly Line[] {
    return this.#queue;
  }

  /** The next line; undefined when none can follow. */
  async next(): Promise<Line | undefined> {
    for (;;) {
      this.#fill();
      const line = this.#queue.shift();
      if (line !== undefined) this.#queuedBytes -= line.length;
      if (line !== undefined || this.#hasEnded) return line;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  /** Gives only the lines that are here already. */
  stopReading(): void {
    this.#hasEnded = true;
    this.#wake?.();
  }

  /**
   * Writes one line; resolves when there is room for the next.
   *
   * @throws {DaemonError} `cancelled` if the connection is gone.
   */
  async write(text: string): Promise<void> {
    if (this.closed.aborted) throw gone();
    if (this.#socket.write(`${text}\n`)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const goOn = () => resolve();
    this.#socket.once("drain", goOn);
    this.closed.addEventListener("abort", goOn, { once: true });
    await promise;
    this.#socket.removeListener("drain", goOn);
    this.closed.removeEventListener("abort", goOn);
    if (this.closed.aborted) throw gone();
  }

  /** Sends what was written and closes; the other side gets a moment to read it. */
  async finish(): Promise<void> {
    if (this.#isFinishing || this.closed.aborted) return;
    this.#isFinishing = true;
    this.#queue.length = 0;
    this.#socket.resume(); // closing with unread bytes could cost the other side our last line
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed.addEventListener("abort", () => resolve(), { once: true });
    this.#socket.end(() => resolve());
    await withDeadline(promise, LINGER_MS, "send the last answer").catch(() => undefined);
    guard("close a control connection", async () => {
      await pause(LINGER_MS, this.closed);
      this.destroy();
    });
  }

  /**
   * Looks whether somebody who sends nothing more is still there. One who left looks like one who
   * only listens until something is written, so an empty line is, now and then.
   */
  lookForListener(): void {
    if (this.#isLooking || !this.#hasEnded || !this.isListenedTo()) return;
    this.#isLooking = true;
    guard("look for a listener", async () => {
      while (this.isListenedTo() && !this.closed.aborted) {
        await this.write("").catch(() => undefined); // "close" follows
        await pause(LOOK_MS, this.closed);
      }
      this.#isLooking = false;
    });
  }

  /** Closes at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  #onData(chunk: Buffer): void {
    if (this.#isFinishing) return;
    this.#reader.push(chunk);
    this.#fill();
    this.#wake?.();
    this.onArrival?.();
  }

  #onEnd(): void {
    this.#hasEnded = true;
    this.#reader.end();
    this.#fill();
    this.#wake?.();
    this.onArrival?.();
    this.lookForListener();
  }

  #onClose(): void {
    this.#hasEnded = true;
    this.#queue.length = 0;
    this.#closed.abort();
    this.#wake?.();
  }

  #fill(): void {
    while (this.#queue.length < MAX_QUEUED_REQUESTS && this.#queuedBytes < MAX_QUEUED_BYTES) {
      const line = this.#reader.next();
      if (line === undefined) break;
      this.#queue.push(line);
      this.#queuedBytes += line.length;
    }
    if (this.#reader.hasMore) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }
}

function gone(): DaemonError {
  return new DaemonError("cancelled", "Cannot answer: the client is gone");
}
