/** A client of the control socket that knows nothing but lines of JSON, as `nc -U` does. */
import { Buffer } from "node:buffer";
import { connectLocal, DaemonError, type LocalSocket } from "../../src/core/mod.ts";

/** Where a control socket is: its path, or a port of loopback. */
export type ControlAddress = string | number;

/** One connection; dispose of it. */
export class ControlClient implements Disposable {
  /** Lines that arrived and were not asked for yet. */
  readonly lines: string[] = [];
  readonly #socket: LocalSocket;
  readonly #closed = Promise.withResolvers<void>();
  #rest: Buffer[] = [];
  #isClosed = false;
  #wake: (() => void) | undefined;

  private constructor(socket: LocalSocket) {
    this.#socket = socket;
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("end", () => socket.end());
    socket.on("close", () => {
      this.#isClosed = true;
      this.#closed.resolve();
      this.#wake?.();
    });
  }

  /** Connects. @throws What the system reports. */
  static async connect(address: ControlAddress): Promise<ControlClient> {
    const where = typeof address === "number"
      ? { port: address, host: "127.0.0.1" }
      : { path: address };
    return new ControlClient(await connectLocal(where));
  }

  /** Resolves when the connection is gone. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Whether the connection is gone. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Writes bytes as they are. */
  write(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Writes one value as a line. */
  send(value: unknown): void {
    this.write(`${JSON.stringify(value)}\n`);
  }

  /** Says that nothing follows. */
  end(): void {
    this.#socket.end();
  }

  /** Reads nothing until {@link resume}. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** The next line as text. @throws {DaemonError} if none comes. */
  async nextLine(timeoutMs = 5_000): Promise<string> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const line = this.lines.shift();
      if (line !== undefined) return line;
      if (this.#isClosed) throw new DaemonError("unavailable", "The connection ended");
      const left = deadline - performance.now();
      if (left <= 0) throw new DaemonError("deadline_exceeded", `No line in ${timeoutMs} ms`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(resolve, left);
      await promise;
      clearTimeout(timer);
    }
  }

  /** The next line as a value. */
  async next<T = Record<string, unknown>>(timeoutMs = 5_000): Promise<T> {
    return JSON.parse(await this.nextLine(timeoutMs)) as T;
  }

  /** Sends a value and gives the next line. */
  async ask<T = Record<string, unknown>>(value: unknown, timeoutMs = 5_000): Promise<T> {
    this.send(value);
    return await this.next<T>(timeoutMs);
  }

  /** Lines until one fits. */
  async until<T = Record<string, unknown>>(
    fits: (value: T) => boolean,
    timeoutMs = 10_000,
  ): Promise<T[]> {
    const seen: T[] = [];
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const value = await this.next<T>(Math.max(1, deadline - performance.now()));
      seen.push(value);
      if (fits(value)) return seen;
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    for (let rest = chunk;;) {
      const newline = rest.indexOf(0x0a);
      if (newline < 0) {
        this.#rest.push(rest);
        break;
      }
      this.lines.push(Buffer.concat([...this.#rest, rest.subarray(0, newline)]).toString());
      this.#rest = [];
      rest = rest.subarray(newline + 1);
    }
    this.#wake?.();
  }
}
