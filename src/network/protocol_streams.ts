import type { Connection, IdentifyResult, Libp2p, Stream } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { DaemonError, guard } from "../core/mod.ts";
import { type ByteStream, Libp2pByteStream } from "./byte_stream.ts";
import { QuickStreams } from "./quick_streams.ts";
import { grantWindow } from "./stream_window.ts";

/** How streams of a protocol are handled. */
export interface HandleInit {
  /** Streams at a time from one connection. */
  readonly maxStreams: number;
  /** A peer that sends more than is read is cut off, so memory stays bounded. */
  readonly maxUnreadBytes: number;
}

/** Opens and accepts streams of our own protocols by their ids. */
export class ProtocolStreams {
  readonly #node: () => Libp2p;
  readonly #quick: QuickStreams;

  /** @param components.node The running node; called after the swarm started. */
  constructor({ node }: { node(): Libp2p }) {
    this.#node = node;
    this.#quick = new QuickStreams({ node });
  }

  /** Answers a protocol. @returns Stops that. */
  async handle(
    protocol: string,
    init: HandleInit,
    onStream: (stream: ByteStream) => Promise<void>,
  ): Promise<() => Promise<void>> {
    const node = this.#node();
    const answer = (stream: Stream, connection: Connection) =>
      guard(`answer ${protocol}`, () => {
        const peerId = connection.remotePeer.toString();
        const { maxUnreadBytes } = init;
        return onStream(new Libp2pByteStream(stream, connection, { peerId, maxUnreadBytes }));
      });
    await node.handle(protocol, answer, {
      maxInboundStreams: init.maxStreams,
      maxOutboundStreams: init.maxStreams,
    });
    return () => node.unhandle(protocol);
  }

  /** Tells of each peer that says it speaks a protocol. @returns Stops that. */
  onSpeaker(protocol: string, tell: (peerId: string) => void): () => void {
    const node = this.#node();
    const onIdentify = ({ detail }: CustomEvent<IdentifyResult>) => {
      if (detail.protocols.includes(protocol)) tell(detail.peerId.toString());
    };
    node.addEventListener("peer:identify", onIdentify);
    return () => node.removeEventListener("peer:identify", onIdentify);
  }

  /**
   * Opens a stream to a connected peer.
   *
   * @throws {DaemonError} `unavailable` if it is not connected or does not speak the protocol.
   */
  async open(
    peerId: string,
    protocol: string,
    { signal, maxUnreadBytes, expectedBytes = 0, paceBytes }: {
      signal: AbortSignal;
      maxUnreadBytes: number;
      /** While so much is unread the peer has to wait; twice as much may be unread then. */
      paceBytes?: number;
      /** Everything the peer is going to send; lets it send without waiting for us. */
      expectedBytes?: number;
    },
  ): Promise<ByteStream> {
    const [connection] = this.#node().getConnections(peerIdFromString(peerId));
    if (!connection) {
      throw new DaemonError("unavailable", `Cannot ask peer "${peerId}": it is not connected`);
    }
    try {
      const options = { signal, maxOutboundStreams: 1_024 };
      const stream = await this.#quick.open(connection, [protocol], options);
      if (expectedBytes > 0) grantWindow(stream, expectedBytes);
      return new Libp2pByteStream(stream, connection, { peerId, maxUnreadBytes, paceBytes });
    } catch (cause) {
      signal.throwIfAborted();
      throw new DaemonError("unavailable", `Cannot open a stream to peer "${peerId}"`, { cause });
    }
  }
}
