import type { AbortOptions, Connection, Libp2p, NewStreamOptions, Stream } from "@libp2p/interface";
import { Buffer } from "node:buffer";
import { DaemonError } from "../core/mod.ts";

/** libp2p's multistream-select; its first word from both sides. */
const MULTISTREAM = "/multistream/1.0.0";
/** Longest name whose length fits into one byte, its line feed included. */
const MAX_NAME_BYTES = 127;
/** Protocols remembered of one connection. */
const MAX_KNOWN = 256;

interface Pieces {
  readonly byteLength: number;
  append(pieces: Pieces): void;
  subarray(begin: number, end: number): Uint8Array;
  sublist(begin: number): Pieces;
}

/** Parts of libp2p's connection and stream that are not its public interface. */
interface Inner {
  muxer?: { createStream(options: AbortOptions): Promise<Stream> };
  components?: { metrics?: { trackProtocolStream(stream: Stream): void } };
}

interface Receiving {
  onData?(data: Pieces): void;
}

/**
 * Opens streams without waiting for the peer's answer where it has agreed to the same protocol on
 * the same connection before, as Go does: the answer is checked when it comes.
 */
export class QuickStreams {
  readonly #node: () => Libp2p;
  readonly #known = new WeakMap<Connection, Set<string>>();
  #isWatching = false;

  constructor({ node }: { node(): Libp2p }) {
    this.#node = node;
  }

  /** A stream of the first of these protocols that the peer speaks. */
  async open(
    connection: Connection,
    protocols: string[],
    options: NewStreamOptions & { maxOutboundStreams: number },
  ): Promise<Stream> {
    const [protocol = ""] = protocols;
    const known = this.#known.get(connection);
    const { muxer } = connection as unknown as Inner;
    const mayHurry = muxer && connection.status === "open" && known?.has(protocol);
    if (mayHurry && countOf(connection, protocol) < options.maxOutboundStreams) {
      const stream = await muxer.createStream(options);
      this.#hurry(connection, stream, protocol);
      return stream;
    }
    this.#watch();
    const stream = await connection.newStream(protocols, options);
    this.#learn(connection, stream.protocol);
    return stream;
  }

  // A peer tells anew what it speaks when that changes.
  #watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#node().addEventListener("peer:identify", ({ detail: { connection, protocols } }) => {
      const known = this.#known.get(connection);
      if (known) this.#known.set(connection, known.intersection(new Set(protocols)));
    });
  }

  #learn(connection: Connection, protocol: string): void {
    if (protocol.length >= MAX_NAME_BYTES) return;
    const known = this.#known.get(connection) ?? new Set();
    if (known.size < MAX_KNOWN) this.#known.set(connection, known.add(protocol));
  }

  #hurry(connection: Connection, stream: Stream, protocol: string): void {
    stream.protocol = protocol;
    (connection as unknown as Inner).components?.metrics?.trackProtocolStream(stream);
    const words = Buffer.concat([word(MULTISTREAM), word(protocol)]);
    expect(stream as Receiving, words, () => {
      this.#known.get(connection)?.delete(protocol);
      stream.abort(new DaemonError("unimplemented", `The peer no longer speaks ${protocol}`));
    });
    stream.send(words);
  }
}

function countOf({ streams }: Connection, protocol: string): number {
  let count = 0;
  for (const stream of streams) {
    if (stream.direction === "outbound" && stream.protocol === protocol) count++;
  }
  return count;
}

function word(name: string): Uint8Array {
  const bytes = Buffer.from(`\0${name}\n`);
  bytes[0] = bytes.byteLength - 1;
  return bytes;
}

/** Takes the answer away before anybody sees it; an accepting one is what was sent. */
function expect(stream: Receiving, answer: Buffer, refuse: () => void): void {
  let received: Pieces | undefined;
  stream.onData = (data) => {
    if (received) received.append(data);
    else received = data.sublist(0);
    const size = Math.min(received.byteLength, answer.byteLength);
    if (!answer.subarray(0, size).equals(received.subarray(0, size))) {
      delete stream.onData;
      return refuse();
    }
    if (size < answer.byteLength) return;
    delete stream.onData; // from here on the class's own
    handOn(stream, received.sublist(answer.byteLength));
  };
}

function handOn(stream: Receiving, data: Pieces): void {
  stream.onData?.(data);
}
