/** Connections between programs of one machine: Unix sockets, and loopback TCP where a system has none. */
import { Buffer } from "node:buffer";
import { connect, createServer, type Server } from "node:net";
import { Duplex } from "node:stream";
import { guard } from "./guard.ts";
import { logger } from "./log.ts";
import { DaemonError, systemCode } from "./errors.ts";
import { releaseWhenClosed } from "./sockets.ts";
import { pause, withDeadline } from "./time.ts";

/** Where a program listens. */
export type LocalAddress =
  | { readonly path: string }
  | { readonly host: string; readonly port: number };

/** A connection to another program. Half-closes are kept: whoever reads an end still writes. */
export interface LocalSocket extends Duplex {
  /** Closes once what was written is sent. */
  destroySoon(): void;
  /** Keeps the process running, as it does from the start. */
  ref(): unknown;
  /** Keeps the process running no longer. */
  unref(): unknown;
  /** Only where it is TCP. */
  setNoDelay?(isOn: boolean): unknown;
}

/** Takes connections until it is closed. */
export interface LocalServer {
  /** Port of TCP, else 0. */
  readonly port: number;
  /** Takes no more; connections go on. */
  close(): Promise<void>;
}

/** A read begins with little, since most connections are silent, and grows with what comes. */
const SMALL_READ_BYTES = 4 * 1_024;
const LARGE_READ_BYTES = 64 * 1_024;
/** After a failed accept, such as for want of file descriptors. */
const ACCEPT_PAUSE_MS = 100;
/** Longest wait for a socket that may be live. */
const PROBE_TIMEOUT_MS = 2_000;

const log = logger("core");

/**
 * A Unix socket as a stream of Node's kind. `node:net` has such sockets too, but up to Deno 2.9 it
 * closes the descriptor of each one twice, and the second close hits whatever file another thread
 * has opened in between.
 */
class UnixSocket extends Duplex implements LocalSocket {
  readonly #connection: Deno.UnixConn;
  #readBytes = SMALL_READ_BYTES;
  #spare: Buffer | undefined;

  constructor(connection: Deno.UnixConn) {
    super({ allowHalfOpen: true });
    this.#connection = connection;
  }

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }

  ref(): void {
    this.#connection.ref();
  }

  unref(): void {
    this.#connection.unref();
  }

  override _read(): void {
    const settle = (failure: unknown) => this.destroy(asError(failure));
    this.#readOnce().catch(settle);
  }

  override _write(
    chunk: Buffer,
    _encoding: unknown,
    callback: (failure?: Error | null) => void,
  ): void {
    this.#writeAll([chunk]).then(() => callback(), (failure) => callback(asError(failure)));
  }

  override _writev(
    chunks: readonly { chunk: Buffer }[],
    callback: (failure?: Error | null) => void,
  ): void {
    const parts = chunks.map(({ chunk }) => chunk);
    this.#writeAll(parts).then(() => callback(), (failure) => callback(asError(failure)));
  }

  // Whoever is gone already needs no word that nothing follows.
  override _final(callback: (failure?: Error | null) => void): void {
    this.#connection.closeWrite().then(() => callback(), () => callback());
  }

  override _destroy(failure: Error | null, callback: (failure: Error | null) => void): void {
    this.#connection.close();
    callback(failure);
  }

  async #readOnce(): Promise<void> {
    const buffer = this.#spare ?? Buffer.allocUnsafeSlow(this.#readBytes);
    this.#spare = undefined;
    const count = await this.#connection.read(buffer);
    if (this.destroyed) return;
    if (count === null) return void this.push(null);
    this.#readBytes = count < SMALL_READ_BYTES ? SMALL_READ_BYTES : LARGE_READ_BYTES;
    this.push(this.#taken(buffer, count));
  }

  /** What was read, in no more memory than it needs; what was read into then serves again. */
  #taken(buffer: Buffer, count: number): Buffer {
    const part = buffer.subarray(0, count);
    if (count * 2 >= buffer.byteLength) return part;
    if (buffer.byteLength === this.#readBytes) this.#spare = buffer;
    return Buffer.from(part);
  }

  async #writeAll(chunks: readonly Buffer[]): Promise<void> {
    const bytes = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const isOne = chunks.length > 1 && bytes <= LARGE_READ_BYTES;
    for (const chunk of isOne ? [Buffer.concat(chunks)] : chunks) {
      for (let at = 0; at < chunk.byteLength;) {
        at += await this.#connection.write(chunk.subarray(at));
      }
    }
  }
}

/** How long {@link connectLocal} may take. */
export interface ConnectLimits {
  /** Ends the wait. */
  signal?: AbortSignal;
  /** @default {until the system gives up} */
  timeoutMs?: number;
}

/**
 * Connects.
 *
 * @throws The system's error with its `code`, such as `ECONNREFUSED`; the signal's reason;
 *   {@link DaemonError} `deadline_exceeded`.
 */
export async function connectLocal(
  address: LocalAddress,
  { signal, timeoutMs }: ConnectLimits = {},
): Promise<LocalSocket> {
  signal?.throwIfAborted();
  const { promise: cancelled, reject } = Promise.withResolvers<never>();
  const giveUp = () => reject(signal?.reason);
  signal?.addEventListener("abort", giveUp, { once: true });
  const abandoned = new AbortController();
  const opening = "path" in address
    ? connectUnix(address.path)
    : connectTcp(address, abandoned.signal);
  const first = Promise.race([opening, cancelled]);
  try {
    return await (timeoutMs === undefined ? first : withDeadline(first, timeoutMs, "connect"));
  } catch (failure) {
    abandoned.abort();
    opening.then((late) => late.destroy(), () => undefined);
    throw failure;
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
}

/**
 * Whether a program listens there. Only a refusal proves that none does: one too busy to accept is
 * alive.
 *
 * @throws The system's error, where it is no refusal.
 */
export async function isLive(path: string): Promise<boolean> {
  try {
    const socket = await connectLocal({ path }, { timeoutMs: PROBE_TIMEOUT_MS });
    socket.destroy();
    return true;
  } catch (failure) {
    if (failure instanceof DaemonError) return true;
    if (systemCode(failure) === "ECONNREFUSED") return false;
    throw failure;
  }
}

/**
 * Listens. A Unix socket gets the rights that the umask leaves at the moment of the call.
 *
 * @throws The system's error with its `code`, such as `EADDRINUSE`.
 */
export async function listenLocal(
  address: LocalAddress,
  onSocket: (socket: LocalSocket) => void,
): Promise<LocalServer> {
  if ("path" in address) return new UnixServer(address.path, onSocket);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    releaseWhenClosed(socket);
    guard("take a local connection", () => onSocket(socket));
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(address.port, address.host, resolve);
  await promise;
  server.removeListener("error", reject);
  server.on("error", (error) => log.error("Local listener failed", { error }));
  return { port: portOf(server), close: () => closeServer(server) };
}

class UnixServer implements LocalServer {
  readonly port = 0;
  readonly #listener: Deno.UnixListener;
  readonly #onSocket: (socket: LocalSocket) => void;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;

  constructor(path: string, onSocket: (socket: LocalSocket) => void) {
    this.#onSocket = onSocket;
    this.#listener = Deno.listen({ transport: "unix", path });
    this.#running = this.#run(path);
  }

  async close(): Promise<void> {
    if (!this.#ended.signal.aborted) this.#listener.close();
    this.#ended.abort();
    await this.#running;
  }

  async #run(path: string): Promise<void> {
    let isFailing = false;
    while (!this.#ended.signal.aborted) {
      try {
        const connection = await this.#listener.accept();
        isFailing = false;
        if (this.#ended.signal.aborted) return connection.close();
        guard("take a local connection", () => this.#onSocket(new UnixSocket(connection)));
      } catch (error) {
        if (this.#ended.signal.aborted) return;
        if (!isFailing) log.warn("Local connections are not taken for now", { path, error });
        isFailing = true;
        await pause(ACCEPT_PAUSE_MS, this.#ended.signal);
      }
    }
  }
}

async function connectUnix(path: string): Promise<LocalSocket> {
  return new UnixSocket(await Deno.connect({ transport: "unix", path }));
}

async function connectTcp(
  { host, port }: { host: string; port: number },
  abandoned: AbortSignal,
): Promise<LocalSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ host, port, allowHalfOpen: true });
  socket.once("error", reject);
  socket.once("connect", resolve);
  abandoned.addEventListener("abort", () => socket.destroy(), { once: true });
  await promise;
  socket.removeListener("error", reject);
  return socket;
}

function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  return promise;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address ? address.port : 0;
}

function asError(failure: unknown): Error | undefined {
  return failure instanceof Error ? failure : undefined;
}
