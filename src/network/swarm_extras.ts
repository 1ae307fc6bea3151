import type { YamuxMuxerInit } from "@chainsafe/libp2p-yamux";
import type { ConnectionGater } from "@libp2p/interface";
import type { Libp2pInit } from "libp2p";
import type { GuardedTcpInit } from "./tcp_transport.ts";

/**
 * Widest window of a stream, and so the most bytes of one that wait for a slow reader. libp2p's own
 * window of 16 MiB is wider than what it lets wait (4 MiB): it would end who falls behind.
 */
export const MAX_WINDOW_BYTES = 8 * 1024 * 1024;

/** Parts of libp2p besides the ones every daemon has. */
export interface SwarmExtras {
  readonly transports?: NonNullable<Libp2pInit["transports"]>;
  readonly services?: NonNullable<Libp2pInit["services"]>;
  /** Asked besides the one every daemon has. */
  readonly gater?: ConnectionGater;
  /** From which port to dial an address. */
  readonly dialFrom?: NonNullable<GuardedTcpInit["dialFrom"]>;
  readonly datastore?: NonNullable<Libp2pInit["datastore"]>;
  /** Told to other peers in place of the listen addresses; none when empty. */
  readonly announce?: readonly string[];
  /** Streams of one connection, in and out each. */
  readonly maxStreams?: number;
  /** Peers that left and are remembered all the same, as a routing table needs them. */
  readonly keptPeers?: number;
}

/** How many streams a connection carries; the library's own measure when absent. */
export function muxerInit(maxStreams: number | undefined): YamuxMuxerInit {
  const streamOptions = {
    maxStreamWindowSize: MAX_WINDOW_BYTES,
    maxReadBufferLength: MAX_WINDOW_BYTES,
  };
  if (maxStreams === undefined) return { streamOptions };
  return { maxInboundStreams: maxStreams, maxOutboundStreams: maxStreams, streamOptions };
}

/** How links are pinged: an answer may wait behind content on a full link, and libp2p's own 5 s would cut it. */
export function monitorInit(pingInterval: number): NonNullable<Libp2pInit["connectionMonitor"]> {
  return { pingInterval, pingTimeout: { minTimeout: 12_000 } };
}
