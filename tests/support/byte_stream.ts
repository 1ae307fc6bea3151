/** One way to move bytes for tests, whatever carries them: a socket here, a libp2p stream elsewhere. */
import { DaemonError } from "../../src/core/mod.ts";

/** Both directions of a byte stream. */
export interface ByteStream {
  /** The next bytes, or undefined at the end of the stream. */
  read(): Promise<Uint8Array | undefined>;
  /** Resolves once more may be written. */
  write(bytes: Uint8Array): Promise<void>;
  /** No more will be written; reading goes on. */
  closeWrite(): Promise<void>;
  /** Ends both directions at once. */
  close(): void;
}

/** A {@link ByteStream} from which exact amounts can be taken. */
export class ExactReader {
  #rest = new Uint8Array(0);
  readonly #stream: Pick<ByteStream, "read">;

  constructor(stream: Pick<ByteStream, "read">) {
    this.#stream = stream;
  }

  /** What is there already, else the next bytes, else undefined at the end. */
  read(): Promise<Uint8Array | undefined> {
    if (this.#rest.length === 0) return this.#stream.read();
    const bytes = this.#rest;
    this.#rest = new Uint8Array(0);
    return Promise.resolve(bytes);
  }

  /**
   * Exactly `count` bytes.
   *
   * @throws {DaemonError} `data_loss` when the stream ends before.
   */
  async take(count: number): Promise<Uint8Array> {
    const taken = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      const bytes = await this.read();
      if (!bytes) {
        throw new DaemonError("data_loss", `The stream ended after ${filled} of ${count} bytes`);
      }
      const used = Math.min(bytes.length, count - filled);
      taken.set(bytes.subarray(0, used), filled);
      this.#rest = Uint8Array.from(bytes.subarray(used));
      filled += used;
    }
    return taken;
  }
}

/** A socket as {@link ByteStream}. */
export class SocketStream implements ByteStream {
  readonly #connection: Deno.TcpConn | Deno.UnixConn;
  readonly #buffer = new Uint8Array(64 * 1024);

  constructor(connection: Deno.TcpConn | Deno.UnixConn) {
    this.#connection = connection;
  }

  async read(): Promise<Uint8Array | undefined> {
    const count = await this.#connection.read(this.#buffer);
    return count === null ? undefined : this.#buffer.slice(0, count);
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.length;) {
      offset += await this.#connection.write(bytes.subarray(offset));
    }
  }

  closeWrite(): Promise<void> {
    return this.#connection.closeWrite();
  }

  close(): void {
    try {
      this.#connection.close();
    } catch {
      // Closed by the other end already.
    }
  }
}
