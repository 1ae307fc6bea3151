import { DaemonError, pause, systemCode } from "../core/mod.ts";
import { type DaemonPlace, endpointOf } from "./address.ts";
import { connectionFailure } from "./errors.ts";
import { type LineChannel, openChannel } from "./line_channel.ts";
import { cancelled, RequestConnection } from "./request_connection.ts";

/** Waits before another try, in milliseconds, contract 2.6. */
export const RETRY_WAITS_MS = [50, 100, 200] as const;
/** Requests in flight on one connection; the daemon reads no further ones, contract 2.1. */
export const MAX_IN_FLIGHT = 64;
/** The daemon sends idle clients away after 5 minutes, so ours leave before. */
const MAX_IDLE_MS = 240_000;

/** How {@link ConnectionPool} behaves. */
export interface ConnectionPoolInit {
  readonly maxConnections: number;
  readonly connectTimeoutMs: number;
}

/** A few connections that share all requests. */
export class ConnectionPool {
  readonly #daemon: DaemonPlace;
  readonly #init: ConnectionPoolInit;
  readonly #connections = new Set<RequestConnection>();
  readonly #queue: (() => void)[] = [];
  #opening = 0;
  #isClosed = false;

  constructor(daemon: DaemonPlace, init: ConnectionPoolInit) {
    this.#daemon = daemon;
    this.#init = init;
  }

  /** Connections open at the moment. */
  get size(): number {
    return this.#connections.size;
  }

  /**
   * Runs one request on a connection that has room for it: an idle one, a new one, else the one
   * with least to do.
   *
   * @param signal Ends the wait for a connection.
   * @throws {ControlError} if the daemon cannot be reached.
   */
  async use<T>(
    request: (connection: RequestConnection) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const connection = await this.#take(signal);
    try {
      return await request(connection);
    } finally {
      this.#queue.shift()?.();
    }
  }

  /** A connection of its own, for what goes on and on. @throws As {@link ConnectionPool.use}. */
  async open(signal?: AbortSignal): Promise<LineChannel> {
    for (const waitMs of [...RETRY_WAITS_MS, undefined]) {
      try {
        return await this.#openOnce(signal);
      } catch (cause) {
        if (signal?.aborted) throw cancelled("to connect");
        const { startCommand, place } = this.#daemon;
        const isTransient = ["ECONNREFUSED", "ECONNRESET"].includes(systemCode(cause) ?? "");
        if (waitMs === undefined || !isTransient) {
          if (cause instanceof DaemonError) throw cause;
          throw connectionFailure(place.socket, startCommand, cause);
        }
        await pause(waitMs, signal);
      }
    }
    throw cancelled("to connect");
  }

  /** Closes all at once; what is in flight fails. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
    for (const wake of this.#queue.splice(0)) wake();
  }

  async #take(signal: AbortSignal | undefined): Promise<RequestConnection> {
    for (;;) {
      if (this.#isClosed) {
        throw new DaemonError("failed_precondition", "Cannot ask almenad: this client is closed");
      }
      if (signal?.aborted) {
        this.#queue.shift()?.(); // the place it was woken for, if it was, is the next one's
        throw cancelled("the request");
      }
      this.#dropUseless();
      const [best] = [...this.#connections].sort((a, b) => a.load - b.load);
      const mayOpen = this.#connections.size + this.#opening < this.#init.maxConnections;
      if (best && (best.load === 0 || (!mayOpen && best.load < MAX_IN_FLIGHT))) {
        return best.reserve();
      }
      if (mayOpen) return await this.#add(signal);
      await this.#turn(signal);
    }
  }

  // Who gives up leaves the queue, or the next free place would go to somebody who is gone.
  async #turn(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const giveUp = () => {
      const at = this.#queue.indexOf(resolve);
      if (at >= 0) this.#queue.splice(at, 1);
      resolve();
    };
    this.#queue.push(resolve);
    signal?.addEventListener("abort", giveUp, { once: true });
    await promise;
    signal?.removeEventListener("abort", giveUp);
  }

  async #add(signal: AbortSignal | undefined): Promise<RequestConnection> {
    this.#opening++;
    try {
      const channel = await this.open(signal);
      const connection = new RequestConnection(channel, this.#daemon.place.socket);
      this.#connections.add(connection);
      return connection.reserve();
    } finally {
      this.#opening--;
      this.#queue.shift()?.(); // whoever waited for this connection finds it, or tries itself
    }
  }

  async #openOnce(signal: AbortSignal | undefined): Promise<LineChannel> {
    const { connectTimeoutMs } = this.#init;
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(tooSlow(connectTimeoutMs)), connectTimeoutMs);
    try {
      const all = signal ? AbortSignal.any([signal, timeout.signal]) : timeout.signal;
      return await openChannel(await endpointOf(this.#daemon), all);
    } finally {
      clearTimeout(timer);
    }
  }

  #dropUseless(): void {
    for (const connection of this.#connections) {
      const isStale = connection.idleMs > MAX_IDLE_MS;
      if (connection.isUsable && !isStale) continue;
      this.#connections.delete(connection);
      if (isStale) connection.close();
    }
  }
}

function tooSlow(timeoutMs: number): DaemonError {
  return new DaemonError(
    "deadline_exceeded",
    `Cannot connect to almenad within ${timeoutMs} ms; it may hang, see "almenad doctor"`,
  );
}
