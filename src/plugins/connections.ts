import { DaemonError, guard, pause } from "../core/mod.ts";
import type { PeerStream } from "../network/mod.ts";
import type { Connection, ConnectionInfo, ConnReadWriter } from "./plugin.ts";

/** Longest wait for a peer that does not take what is sent, contract 4.2. */
export const SEND_TIMEOUT_MS = 30_000;

/** A stream as plugins hold it: opaque, used through the daemon. */
export class PeerConnection implements Connection {
  readonly #info: ConnectionInfo;

  constructor(info: ConnectionInfo) {
    this.#info = Object.freeze({ ...info });
  }

  info(): ConnectionInfo {
    return this.#info;
  }
}

/** Every connection that plugins hold. */
export class Connections {
  readonly #streams = new Map<Connection, PeerStream>();

  /** Open ones. */
  get size(): number {
    return this.#streams.size;
  }

  /** Wraps a stream. */
  add(stream: PeerStream, info: ConnectionInfo): Connection {
    const connection = new PeerConnection(info);
    this.#streams.set(connection, stream);
    return connection;
  }

  /**
   * Writes; waits while the peer takes nothing.
   *
   * @throws {DaemonError} `deadline_exceeded` after 30 s, and the connection is closed.
   */
  async send(connection: Connection, data: Uint8Array): Promise<void> {
    const stream = this.#find(connection);
    const timeout = AbortSignal.timeout(SEND_TIMEOUT_MS);
    try {
      await stream.write(data, timeout);
    } catch (cause) {
      this.close(connection);
      if (!timeout.aborted) throw cause;
      const reason = `the peer took nothing for ${SEND_TIMEOUT_MS / 1_000} s`;
      throw new DaemonError("deadline_exceeded", `Cannot send: ${reason}`, { cause });
    }
  }

  /** The stream as read and write. */
  readWriter(connection: Connection): ConnReadWriter {
    const stream = this.#find(connection);
    return {
      read: async () => await stream.read() ?? null,
      write: (data) => this.send(connection, data),
      closeWrite: () => stream.closeWrite(AbortSignal.timeout(SEND_TIMEOUT_MS)),
      close: () => this.close(connection),
      abort: () => this.#abort(connection, stream),
    };
  }

  /** Ends a connection: what was written still goes out, nothing more is read. */
  close(connection: Connection): void {
    const stream = this.#streams.get(connection);
    if (!stream) return;
    this.#streams.delete(connection);
    guard("close a connection", () => closeSoon(stream));
  }

  /** Ends all connections of a peer, or all there are. */
  closeAll(peerId?: string): void {
    for (const [connection, stream] of this.#streams) {
      if (peerId !== undefined && stream.peerId !== peerId) continue;
      this.#abort(connection, stream);
    }
  }

  #abort(connection: Connection, stream: PeerStream): void {
    this.#streams.delete(connection);
    stream.abort("The connection was closed");
  }

  #find(connection: Connection): PeerStream {
    const stream = this.#streams.get(connection);
    if (stream) return stream;
    throw new DaemonError("failed_precondition", "Cannot use the connection: it is closed");
  }
}

/** How long a peer has to end its own side after ours ended. */
const LINGER_MS = 2_000;

async function closeSoon(stream: PeerStream): Promise<void> {
  const abort = new AbortController();
  try {
    await stream.closeWrite(AbortSignal.timeout(LINGER_MS));
    const drained = async () => {
      while (await stream.read());
    };
    await Promise.race([drained(), pause(LINGER_MS, abort.signal)]);
  } catch {
    // the peer was faster, or is gone
  } finally {
    abort.abort();
    stream.abort("The connection was closed");
  }
}
