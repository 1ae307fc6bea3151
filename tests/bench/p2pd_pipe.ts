/** Streams through two p2pds by raw sockets, so that what costs time is the daemons. */
import { peerIdFromString } from "@libp2p/peer-id";
import { join } from "node:path";
import { encodeControlAddress } from "../../src/p2pd/wire/control_address.ts";
import { FrameReader } from "../../src/p2pd/wire/frames.ts";
import { REQUEST, Request, RESPONSE, Response } from "../../src/p2pd/wire/messages.ts";
import type { P2pd } from "../support/p2pd_process.ts";

/** The protocol of these streams. */
const PROTOCOL = "/bench/1.0.0";
const CHUNK_BYTES = 1 << 20;
/** No stream takes longer to open. */
const TIMEOUT_S = 60;

/** What takes the streams of one p2pd and counts what it reads. */
export class Sink implements AsyncDisposable {
  /** Bytes read of streams, without what the daemon tells of each. */
  bytes = 0;
  #wanted = Infinity;
  #reached = () => {};
  readonly #listener: Deno.UnixListener;

  private constructor(listener: Deno.UnixListener) {
    this.#listener = listener;
    void this.#accept();
  }

  /** Takes the streams that peers open at this p2pd. */
  static async open(p2pd: P2pd): Promise<Sink> {
    const path = join(p2pd.folder, "sink.sock");
    const sink = new Sink(Deno.listen({ transport: "unix", path }));
    const addr = encodeControlAddress({ path });
    const streamHandler = { addr, proto: [PROTOCOL], balanced: false };
    const connection = await request(p2pd, { type: REQUEST.streamHandler, streamHandler });
    connection.close();
    return sink;
  }

  /** Resolves once so many bytes have been read in all. */
  reached(bytes: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wanted = bytes;
    this.#reached = resolve;
    if (this.bytes >= bytes) resolve();
    return promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.#listener.close());
  }

  async #accept(): Promise<void> {
    try {
      for await (const connection of this.#listener) void this.#read(connection);
    } catch {
      // closed
    }
  }

  async #read(connection: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(CHUNK_BYTES);
    const reader = new FrameReader();
    let isTold = false;
    try {
      for (;;) {
        const size = await connection.read(buffer);
        if (size === null) break;
        if (isTold) {
          this.#count(size);
          continue;
        }
        reader.push(buffer.slice(0, size));
        isTold = reader.next() !== undefined;
        if (isTold) this.#count(reader.rest().byteLength);
      }
    } catch {
      // the stream broke; what is missing shows in the count
    }
    connection.close();
  }

  #count(size: number): void {
    this.bytes += size;
    if (this.bytes >= this.#wanted) this.#reached();
  }
}

/** Opens a stream from one p2pd to another. */
export async function openStream(from: P2pd, to: P2pd): Promise<Deno.Conn> {
  const peer = peerIdFromString(to.peerId).toMultihash().bytes;
  return await request(from, {
    type: REQUEST.streamOpen,
    streamOpen: { peer, proto: [PROTOCOL], timeout: TIMEOUT_S },
  });
}

/** Writes so many bytes, then ends our side. */
export async function pour(stream: Deno.Conn, bytes: number): Promise<void> {
  const chunk = crypto.getRandomValues(new Uint8Array(65_536));
  const big = new Uint8Array(CHUNK_BYTES);
  for (let at = 0; at < big.byteLength; at += chunk.byteLength) big.set(chunk, at);
  for (let left = bytes; left > 0;) {
    left -= await stream.write(left < big.byteLength ? big.subarray(0, left) : big);
  }
  await stream.closeWrite();
}

async function request(
  { listen }: P2pd,
  fields: Parameters<typeof Request.encode>[0],
): Promise<Deno.Conn> {
  const path = listen.slice("/unix".length);
  const connection = await Deno.connect({ transport: "unix", path });
  await connection.write(Request.encode(fields));
  const buffer = new Uint8Array(65_536);
  const reader = new FrameReader();
  for (;;) {
    const size = await connection.read(buffer);
    if (size === null) throw new TypeError("the p2pd closed the connection");
    reader.push(buffer.slice(0, size));
    const answer = reader.next();
    if (!answer) continue;
    const { type, error } = Response.decode(answer);
    if (type === RESPONSE.ok) return connection;
    throw new TypeError(error?.msg ?? "refused");
  }
}
