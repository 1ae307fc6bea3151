import type { Connection, Stream } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { DaemonError, guard, messageOf } from "../core/mod.ts";
import type { Dialer } from "./dialer.ts";
import type { PeerBook } from "./peer_book.ts";
import { PeerStream } from "./peer_stream.ts";
import { QuickStreams } from "./quick_streams.ts";
import { MAX_STREAMS_PER_PROTOCOL } from "./streams.ts";
import type { Swarm } from "./swarm.ts";

/** Longest wait for a stream, its connection included. */
export const OPEN_TIMEOUT_MS = 10_000;
/** Streams of one port, in and out each, per connection; reliability section 2. */
export const MAX_STREAMS_PER_PORT = 1_024;

/** What {@link PeerStreams} uses. */
export interface PeerStreamsComponents {
  swarm: Pick<Swarm, "node" | "dial">;
  dialer: Pick<Dialer, "hold" | "release">;
  peers: Pick<PeerBook, "isConnected" | "list">;
}

/** What streams of a protocol may do. */
export interface StreamLimits {
  /** Streams that one connection may carry each way. @default {MAX_STREAMS_PER_PROTOCOL} */
  readonly maxStreams?: number;
  /** Whether they go over a relay's limited connection where there is no other. @default {false} */
  readonly overRelay?: boolean;
  /** Whether a stream may be silent for as long as its ends like. @default {false} */
  readonly mayBeSilent?: boolean;
}

/** Streams of any protocol to any peer, for what stands above the network. */
export class PeerStreams {
  readonly #components: PeerStreamsComponents;
  readonly #quick: QuickStreams;

  constructor(components: PeerStreamsComponents) {
    this.#components = components;
    this.#quick = new QuickStreams({ node: () => components.swarm.node });
  }

  /** Peers seen since start, without this daemon. */
  peers(): { readonly peerId: string; readonly isConnected: boolean }[] {
    return this.#components.peers.list().filter(({ isSelf }) => !isSelf);
  }

  /** Whether a link to the peer is open. */
  isConnected(peerId: string): boolean {
    return this.#components.peers.isConnected(peerId);
  }

  /**
   * Opens a stream; connects first where there is no link.
   *
   * @throws {DaemonError} `unavailable` if the peer is not reached, `unimplemented` if it does not
   *   serve the protocol, `deadline_exceeded`, `cancelled`.
   */
  async open(
    peerId: string,
    protocol: string,
    signal?: AbortSignal,
    limits: StreamLimits = {},
  ): Promise<PeerStream> {
    const timeout = AbortSignal.timeout(OPEN_TIMEOUT_MS);
    const both = signal ? AbortSignal.any([signal, timeout]) : timeout;
    const opening = this.#open(peerId, protocol, both, limits);
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(both.reason);
    both.addEventListener("abort", onAbort);
    if (both.aborted) onAbort();
    try {
      return await Promise.race([opening, aborted.promise]);
    } catch (failure) {
      opening.then((stream) => stream.abort("Nobody waits for the stream")).catch(() => undefined);
      throw openError(`open ${protocol} to peer "${peerId}"`, failure, signal, timeout);
    } finally {
      both.removeEventListener("abort", onAbort);
    }
  }

  /**
   * Serves a protocol.
   *
   * @returns Stops it.
   */
  async handle(
    protocol: string,
    onStream: (stream: PeerStream) => unknown,
    limits: StreamLimits = {},
  ): Promise<() => Promise<void>> {
    const { node } = this.#components.swarm;
    const count = limits.maxStreams ?? MAX_STREAMS_PER_PROTOCOL;
    const onInbound = (stream: Stream, connection: Connection) => {
      if (limits.mayBeSilent) stream.inactivityTimeout = Number.POSITIVE_INFINITY;
      const peerStream = new PeerStream(stream, connection);
      guard(`serve ${protocol}`, () => onStream(peerStream));
    };
    await node.handle(protocol, onInbound, {
      ...{ maxInboundStreams: count, maxOutboundStreams: count },
      runOnLimitedConnection: limits.overRelay ?? false,
    });
    return async () => await node.unhandle(protocol);
  }

  /** Cuts every link to a peer at once and keeps it away, contract 1.4. */
  removePeer(peerId: string): void {
    this.#components.dialer.hold(peerId);
    this.cutPeer(peerId);
  }

  /** Cuts every link to a peer; it may come back. */
  cutPeer(peerId: string): void {
    const reason = new DaemonError("aborted", "The peer was removed");
    const { node } = this.#components.swarm;
    for (const connection of node.getConnections(peerIdFromString(peerId))) {
      connection.abort(reason);
    }
  }

  /** Ends the effect of {@link PeerStreams.removePeer}. */
  welcomePeer(peerId: string): void {
    this.#components.dialer.release(peerId);
  }

  async #open(
    peerId: string,
    protocol: string,
    signal: AbortSignal,
    limits: StreamLimits,
  ): Promise<PeerStream> {
    const { swarm } = this.#components;
    const id = peerIdFromString(peerId);
    if (swarm.node.getConnections(id).length === 0) await swarm.dial(peerId, [], signal);
    const links = swarm.node.getConnections(id);
    const connection = links.find((link) => !link.limits) ?? links[0];
    if (!connection) throw new DaemonError("unavailable", "there is no link");
    const maxOutboundStreams = limits.maxStreams ?? MAX_STREAMS_PER_PROTOCOL;
    const stream = await this.#quick.open(connection, [protocol], {
      ...{ signal, maxOutboundStreams },
      runOnLimitedConnection: limits.overRelay ?? false,
    });
    if (limits.mayBeSilent) stream.inactivityTimeout = Number.POSITIVE_INFINITY;
    return new PeerStream(stream, connection);
  }
}

function openError(
  what: string,
  cause: unknown,
  signal: AbortSignal | undefined,
  timeout: AbortSignal,
): DaemonError {
  if (signal?.aborted) {
    return new DaemonError("cancelled", `Cannot ${what}: the call was cancelled`);
  }
  if (timeout.aborted) {
    return new DaemonError("deadline_exceeded", `Cannot ${what}: nobody answered in time`);
  }
  const isUnserved = cause instanceof Error && cause.name === "UnsupportedProtocolError";
  const reason = isUnserved ? "the peer does not serve it" : messageOf(cause);
  const code = isUnserved ? "unimplemented" : "unavailable";
  return new DaemonError(code, `Cannot ${what}: ${reason}`, { cause });
}
