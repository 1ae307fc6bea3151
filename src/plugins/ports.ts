import { BoundedQueue, DaemonError, guard, logger } from "../core/mod.ts";
import type { PeerStream, PeerStreams } from "../network/mod.ts";
import { formatAddress, nodeNumber } from "./address.ts";
import type { Connections } from "./connections.ts";
import type { Connection, Listener, PortAllocator } from "./plugin.ts";
import type { PortGate } from "./port_gate.ts";

/** Connections that wait to be accepted, contract 4.2. */
export const BACKLOG = 64;
/** Of them, those of one peer: it must not keep the others from being accepted. */
export const BACKLOG_PER_PEER = BACKLOG / 2;
/** First port of those given out on demand, contract 4.2. */
export const EPHEMERAL_FROM = 49_152;
/** Streams of one port, in and out each, per connection; reliability section 2. */
export const MAX_STREAMS_PER_PORT = 1_024;

/** The port is bound. */
export class PortInUseError extends DaemonError {
  override readonly name = "PortInUseError";

  constructor(port: number) {
    super("already_exists", `Cannot bind port ${port}: it is already bound`);
  }
}

/** What {@link Ports} uses. */
export interface PortsComponents {
  streams: Pick<PeerStreams, "open" | "handle">;
  connections: Connections;
  gate: PortGate;
  selfId(): string;
}

interface Bound {
  readonly queue: BoundedQueue<Connection>;
  /** How many of each peer wait. */
  readonly waiting: Map<string, number>;
  readonly registered: Promise<() => Promise<void>>;
}

const log = logger("plugins");

/** Protocol id of a port, contract 4.2. */
export function portProtocol(port: number): string {
  return `/almena/port/${port}/1.0`;
}

/** The port table: services of this daemon that peers can dial, and dialling theirs. */
export class Ports implements PortAllocator {
  readonly #components: PortsComponents;
  readonly #bound = new Map<number, Bound>();
  // Protocols are taken and given back one after another, however quickly they are asked for.
  #last: Promise<unknown> = Promise.resolve();
  #nextEphemeral = EPHEMERAL_FROM;
  /** Connections refused because a listener's backlog was full. */
  refused = 0;
  /** Connections and dials that trust or policy denied. */
  denied = 0;

  constructor(components: PortsComponents) {
    this.#components = components;
  }

  /** Bound ports, ascending. */
  list(): number[] {
    return [...this.#bound.keys()].sort((a, b) => a - b);
  }

  bind(wanted: number): Listener {
    checkPort(wanted);
    const port = wanted === 0 ? this.#freePort() : wanted;
    if (this.#bound.has(port)) throw new PortInUseError(port);
    const queue = new BoundedQueue<Connection>(BACKLOG);
    const waiting = new Map<string, number>();
    const registered = this.#inTurn(() =>
      this.#components.streams.handle(
        portProtocol(port),
        (stream) => this.#receive(port, bound, stream),
        { maxStreams: MAX_STREAMS_PER_PORT },
      )
    );
    const bound: Bound = { queue, waiting, registered };
    this.#bound.set(port, bound);
    const accepted = queue[Symbol.asyncIterator]();
    return {
      port: () => port,
      accept: async () => {
        const { value } = await accepted.next();
        if (value) count(waiting, value.info().remotePeer, -1);
        return value ?? null;
      },
      close: () => {
        if (this.#bound.get(port) === bound) this.unbind(port);
      },
    };
  }

  unbind(port: number): void {
    const bound = this.#bound.get(port);
    if (!bound) return;
    this.#bound.delete(port);
    for (const connection of bound.queue.drain()) this.#components.connections.close(connection);
    bound.queue.cancel();
    guard("release a port", () => this.#inTurn(async () => await (await bound.registered)()));
  }

  /** Releases every port and waits for it. */
  async stop(): Promise<void> {
    for (const port of this.list()) this.unbind(port);
    await this.#last;
  }

  /**
   * Dials a port of a peer.
   *
   * @throws {DaemonError} `permission_denied` if trust or policy says so, and as `streams.open()`.
   */
  async dial(peerId: string, port: number, signal?: AbortSignal): Promise<Connection> {
    checkPort(port);
    const { gate, streams } = this.#components;
    if (gate.isClosed) {
      throw new DaemonError("unavailable", `Cannot dial port ${port}: the daemon is stopping`);
    }
    if (!gate.allows({ event: "dial", peerId, port, direction: "out" })) {
      this.denied++;
      throw new DaemonError(
        "permission_denied",
        `Cannot dial port ${port} of peer "${peerId}": trust or policy denies it`,
      );
    }
    const limits = { maxStreams: MAX_STREAMS_PER_PORT };
    const stream = await streams.open(peerId, portProtocol(port), signal, limits);
    return this.#wrap(stream, this.#freePort(), port);
  }

  async #receive(port: number, bound: Bound, stream: PeerStream): Promise<void> {
    const { gate } = this.#components;
    const { peerId } = stream;
    const isAllowed = await gate.opened() &&
      gate.allows({ event: "connect", peerId, port, direction: "in" });
    if (!isAllowed) {
      this.denied++;
      log.debug("A peer was denied a port", { peerId, port });
      return stream.abort("The port is not open to this peer");
    }
    const { queue, waiting } = bound;
    const isFull = queue.length >= BACKLOG || (waiting.get(peerId) ?? 0) >= BACKLOG_PER_PEER;
    if (isFull || this.#bound.get(port) !== bound) {
      this.refused++;
      return stream.abort("The port is busy");
    }
    count(waiting, peerId, 1);
    queue.push(this.#wrap(stream, port, 0));
  }

  #wrap(stream: PeerStream, localPort: number, remotePort: number): Connection {
    return this.#components.connections.add(stream, {
      localAddr: addressOf(this.#components.selfId()),
      localPort,
      remoteAddr: addressOf(stream.peerId),
      remotePort,
      remotePeer: stream.peerId,
      remoteHost: stream.host,
    });
  }

  #freePort(): number {
    for (let tries = 0; tries < 16_384; tries++) {
      const port = this.#nextEphemeral++;
      if (this.#nextEphemeral > 65_535) this.#nextEphemeral = EPHEMERAL_FROM;
      if (!this.#bound.has(port)) return port;
    }
    throw new DaemonError("resource_exhausted", "Cannot find a free port: all are bound");
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}

function checkPort(port: number): void {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return;
  throw new DaemonError("invalid_argument", `Cannot use port ${port}: it is not 0 to 65535`);
}

function addressOf(peerId: string): string {
  return formatAddress({ network: 0, node: nodeNumber(peerId) });
}

function count(waiting: Map<string, number>, peerId: string, change: number): void {
  const now = (waiting.get(peerId) ?? 0) + change;
  if (now > 0) waiting.set(peerId, now);
  else waiting.delete(peerId);
}
