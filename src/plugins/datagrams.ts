import { DaemonError, logger, pause } from "../core/mod.ts";
import type { PeerStream, PeerStreams } from "../network/mod.ts";
import type { Datagram } from "./plugin.ts";
import type { PortGate } from "./port_gate.ts";

/** One datagram a stream, contract 4.2: port (2 bytes, big-endian), then the data, then the end. */
export const DATAGRAM_PROTOCOL = "/almena/datagram/1.0";
/** Largest datagram, contract 4.2. */
export const MAX_DATAGRAM_BYTES = 65_536;
/** Longest wait for a datagram's end. */
const RECEIVE_TIMEOUT_MS = 5_000;

/** What {@link Datagrams} uses. */
export interface DatagramsComponents {
  streams: Pick<PeerStreams, "open" | "handle">;
  gate: PortGate;
}

const log = logger("plugins");

/** Messages without a connection: sent once, delivered or not. */
export class Datagrams {
  readonly #components: DatagramsComponents;
  readonly #handlers = new Map<number, Set<(datagram: Datagram) => void>>();
  #unhandle: (() => Promise<void>) | undefined;
  /** Datagrams that trust or policy denied, or nobody listened for. */
  dropped = 0;

  constructor(components: DatagramsComponents) {
    this.#components = components;
  }

  /** Begins to receive. */
  async start(): Promise<void> {
    const { streams } = this.#components;
    this.#unhandle = await streams.handle(DATAGRAM_PROTOCOL, (stream) => this.#receive(stream));
  }

  /** Receives no more. */
  async stop(): Promise<void> {
    await this.#unhandle?.();
    this.#unhandle = undefined;
  }

  /** Calls back for each datagram to a port. @returns Stops it. */
  listen(port: number, handler: (datagram: Datagram) => void): () => void {
    const handlers = this.#handlers.get(port) ?? new Set();
    this.#handlers.set(port, handlers.add(handler));
    return () => {
      handlers.delete(handler);
      if (handlers.size === 0 && this.#handlers.get(port) === handlers) this.#handlers.delete(port);
    };
  }

  /**
   * Sends; a peer that is not there, or does not take it, is no failure.
   *
   * @throws {DaemonError} `invalid_argument` over 64 KiB, `permission_denied` if policy says so.
   */
  async send(peerId: string, port: number, data: Uint8Array): Promise<void> {
    if (data.byteLength > MAX_DATAGRAM_BYTES) {
      throw new DaemonError(
        "invalid_argument",
        `Cannot send a datagram of ${data.byteLength} bytes: at most ${MAX_DATAGRAM_BYTES} fit`,
      );
    }
    const size = data.byteLength;
    if (
      !this.#components.gate.allows({ event: "datagram", peerId, port, size, direction: "out" })
    ) {
      this.dropped++;
      throw new DaemonError("permission_denied", `Cannot send to port ${port}: policy denies it`);
    }
    try {
      const stream = await this.#components.streams.open(peerId, DATAGRAM_PROTOCOL);
      const signal = AbortSignal.timeout(RECEIVE_TIMEOUT_MS);
      const bytes = new Uint8Array(2 + size);
      new DataView(bytes.buffer).setUint16(0, port);
      bytes.set(data, 2);
      await stream.write(bytes, signal);
      await stream.closeWrite(signal);
    } catch (error) {
      log.debug("A datagram was lost", { peerId, port, error });
    }
  }

  async #receive(stream: PeerStream): Promise<void> {
    const { gate } = this.#components;
    const bytes = await readToEnd(stream, 2 + MAX_DATAGRAM_BYTES, RECEIVE_TIMEOUT_MS);
    await stream.closeWrite(AbortSignal.timeout(RECEIVE_TIMEOUT_MS)).catch(() => undefined);
    if (bytes.byteLength < 2 || !await gate.opened()) return;
    const { peerId } = stream;
    const port = new DataView(bytes.buffer, bytes.byteOffset).getUint16(0);
    const data = bytes.subarray(2);
    const size = data.byteLength;
    const handlers = this.#handlers.get(port);
    const isWanted = handlers !== undefined &&
      gate.allows({ event: "datagram", peerId, port, size, direction: "in" });
    if (!isWanted) return void this.dropped++;
    for (const handler of handlers) handler({ peerId, port, data });
  }
}

/**
 * Everything a peer sends until it ends its side.
 *
 * @throws {DaemonError} `resource_exhausted` over the limit, `deadline_exceeded`; the stream is cut.
 */
export async function readToEnd(
  stream: Pick<PeerStream, "read" | "abort">,
  maxBytes: number,
  timeoutMs: number,
): Promise<Uint8Array> {
  const abort = new AbortController();
  const late = pause(timeoutMs, abort.signal).then(() => undefined);
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for (;;) {
      const next = stream.read().then((chunk) => ({ chunk }));
      next.catch(() => undefined);
      const result = await Promise.race([next, late]);
      if (!result) throw new DaemonError("deadline_exceeded", "The peer did not end in time");
      if (!result.chunk) break;
      size += result.chunk.byteLength;
      if (size > maxBytes) {
        throw new DaemonError("resource_exhausted", `The peer sent over ${maxBytes} bytes`);
      }
      chunks.push(result.chunk);
    }
  } catch (failure) {
    stream.abort("The message was refused");
    throw failure;
  } finally {
    abort.abort();
  }
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}
