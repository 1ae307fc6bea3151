/** Connections, ports and streams, contract 4.2. */
import type { PeerRef } from "./peers.ts";

/** A stream between two daemons. */
export interface Connection {
  /** A frozen snapshot. */
  info(): ConnectionInfo;
}

/** Both ends of a connection. */
export interface ConnectionInfo {
  /** `N:NNNN.HHHH.LLLL`. */
  readonly localAddr: string;
  readonly localPort: number;
  readonly remoteAddr: string;
  /** 0 where the other side dialled: the wire does not tell its number. */
  readonly remotePort: number;
  /** Peer id of the other side, proved by the encrypted link. */
  readonly remotePeer: string;
  /** IP address at the other end, as the link sees it. */
  readonly remoteHost: string;
}

/** Reads and writes one connection. */
export interface ConnReadWriter {
  /** The next bytes; null once the other side ended. */
  read(): Promise<Uint8Array | null>;
  /** Resolves once queued. */
  write(data: Uint8Array): Promise<void>;
  /** Ends the writing side; the other side reads to the end. */
  closeWrite(): Promise<void>;
  /** Ends both sides in order: what was written still goes out. Safe to call again. */
  close(): void;
  /** Breaks the connection at once; safe to call again. */
  abort(): void;
}

/** One message without a connection. */
export interface Datagram {
  readonly peerId: string;
  readonly port: number;
  readonly data: Uint8Array;
}

/** The port table. 0 to 1023 are for services that every daemon knows, 49152 to 65535 are ephemeral. */
export interface PortAllocator {
  /**
   * Takes a port.
   *
   * @param port 0 for a free ephemeral one.
   * @throws PortInUseError if it is bound.
   */
  bind(port: number): Listener;
  /** Releases a port and ends its listener; nothing happens when it is not bound. */
  unbind(port: number): void;
}

/** A bound port. */
export interface Listener {
  /** The next inbound connection; null once closed. */
  accept(): Promise<Connection | null>;
  port(): number;
  /** Releases the port; safe to call again. */
  close(): void;
}

/** All links to peers. */
export interface TunnelRegistry {
  /** Closes every connection and forgets all state of a peer; nothing happens when there is none. */
  removePeer(peer: PeerRef): Promise<void>;
  /** Lets a removed peer be dialled and come back. */
  welcomePeer(peer: PeerRef): void;
}

/** Streams of named protocols, for what is no port. */
export interface StreamRegistry {
  open(
    peer: PeerRef,
    protocol: string,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<Connection>;
  /** Calls back for each inbound stream. @returns Stops it. */
  handle(protocol: string, handler: (connection: Connection) => unknown): Promise<() => void>;
}
