import type { Buffer } from "node:buffer";
import { connectLocal, LineReader, type LocalSocket } from "../core/mod.ts";
import type { Endpoint } from "./address.ts";

/** Longest answer that is taken; answers with long lists are larger than any request. */
export const MAX_ANSWER_BYTES = 64 * 1_024 * 1_024;

/** What {@link LineChannel} calls back. */
export interface LineHandlers {
  /** A line arrived. */
  onLine(value: unknown): void;
  /** Nothing follows; called once. */
  onEnd(cause: unknown): void;
}

/** One connection to the daemon: a line of JSON each way at a time. */
export class LineChannel {
  readonly #socket: LocalSocket;
  readonly #reader = new LineReader(MAX_ANSWER_BYTES);
  #handlers: LineHandlers | undefined;
  #cause: unknown;
  #isPaused = false;

  /** @param socket Connected. */
  constructor(socket: LocalSocket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#reader.push(chunk);
      this.#drain();
    });
    socket.on("end", () => {
      this.#reader.end();
      this.#drain();
      socket.end();
    });
    socket.on("error", (cause) => this.#cause = cause);
    socket.on("close", () => this.#handlers?.onEnd(this.#cause));
  }

  /** Begins to hand on what arrives. */
  handle(handlers: LineHandlers): void {
    this.#handlers = handlers;
    this.#drain();
    if (this.#socket.destroyed) handlers.onEnd(this.#cause);
  }

  /** Sends one line. */
  write(text: string): void {
    this.#socket.write(`${text}\n`);
  }

  /** Lets the daemon wait, so that it notices that nobody reads. */
  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  /** Reads on. */
  resume(): void {
    this.#isPaused = false;
    this.#drain();
    if (!this.#isPaused) this.#socket.resume();
  }

  /** Whether the connection keeps the process running. */
  hold(isHeld: boolean): void {
    if (isHeld) this.#socket.ref();
    else this.#socket.unref();
  }

  /**
   * Sends a last line and reads nothing more. A daemon takes a client that only closes for one that
   * still listens, so whoever leaves a subscription has to say so.
   */
  leave(text: string): void {
    this.#handlers = { onLine: () => undefined, onEnd: () => undefined };
    this.#socket.end(`${text}\n`);
    this.resume();
    this.hold(false);
  }

  /** Closes at once. */
  close(): void {
    this.#socket.destroy();
  }

  #drain(): void {
    while (this.#handlers && !this.#isPaused) {
      const line = this.#reader.next();
      if (line === undefined) return;
      const value = line === "too large" ? undefined : parse(line);
      if (value === undefined) {
        this.#cause = new RangeError("the answer is no JSON, or longer than 64 MiB");
        return this.close();
      }
      this.#handlers.onLine(value);
    }
  }
}

/**
 * Connects, and shows the token where one is needed.
 *
 * @throws The system's error, or the signal's reason.
 */
export async function openChannel(endpoint: Endpoint, signal: AbortSignal): Promise<LineChannel> {
  const channel = new LineChannel(await connectLocal(endpoint, { signal }));
  if ("token" in endpoint) channel.write(JSON.stringify({ Auth: endpoint.token }));
  return channel;
}

function parse(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString("utf8"));
  } catch {
    return undefined;
  }
}
