/** A peer that does the Noise handshake properly and then speaks Yamux as it likes. */
import { noise } from "@chainsafe/libp2p-noise";
import type { Connection, Libp2p, MessageStream, StreamMuxer } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { joined, type Seeded } from "./seeded.ts";
import { line } from "./swarm_inputs.ts";

const YAMUX = "/yamux/1.0.0";
/** Frame types and flags of the Yamux specification. */
const TYPE = { data: 0, windowUpdate: 1, ping: 2, goAway: 3 } as const;
const FLAG = { syn: 1, ack: 2, fin: 4, reset: 8 } as const;

/** One connection after a good handshake, open for any bytes. */
export class RawYamux implements AsyncDisposable {
  readonly #node: Libp2p;
  readonly #connection: Connection;
  readonly #stream: MessageStream;
  #received = 0;

  private constructor(node: Libp2p, connection: Connection, stream: MessageStream) {
    this.#node = node;
    this.#connection = connection;
    this.#stream = stream;
    stream.addEventListener("message", ({ data }) => this.#received += data.byteLength);
  }

  /** Connects as a new peer. */
  static async dial(address: string): Promise<RawYamux> {
    let under: MessageStream | undefined;
    const factory = {
      protocol: YAMUX,
      createStreamMuxer: (stream: MessageStream) => {
        under = stream;
        return silentMuxer();
      },
    };
    const node = await createLibp2p({
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [() => factory],
      connectionMonitor: { enabled: false },
      connectionGater: { denyDialMultiaddr: () => false },
    });
    const connection = await node.dial(multiaddr(address), { signal: AbortSignal.timeout(10_000) });
    return new RawYamux(node, connection, under as unknown as MessageStream);
  }

  /** Bytes that came back. */
  get received(): number {
    return this.#received;
  }

  /** Whether the other side has not yet hung up. */
  get isOpen(): boolean {
    return this.#stream.status === "open";
  }

  /** Sends, and waits for room if there is none; a closed connection swallows it. */
  async send(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.length && this.isOpen; offset += 32_768) {
      try {
        if (!this.#stream.send(bytes.subarray(offset, offset + 32_768))) await this.#drained();
      } catch {
        return; // it closed between the question and the answer
      }
    }
  }

  /** Stops reading, so that what the other side sends piles up there. */
  pause(): void {
    this.#stream.pause();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.abort(new TypeError("done"));
    await this.#node.stop();
  }

  #drained(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, 1_000); // the attack goes on whether or not it is read
    this.#stream.addEventListener("drain", () => resolve(), { once: true });
    this.#stream.addEventListener("close", () => resolve(), { once: true });
    return promise.finally(() => clearTimeout(timer));
  }
}

/** A frame header and body; `length` may lie. */
export function yamuxFrame(
  type: number,
  flags: number,
  stream: number,
  body: Uint8Array | number = 0,
  version = 0,
): Uint8Array {
  const head = new DataView(new ArrayBuffer(12));
  head.setUint8(0, version);
  head.setUint8(1, type);
  head.setUint16(2, flags);
  head.setUint32(4, stream);
  head.setUint32(8, typeof body === "number" ? body : body.length);
  return typeof body === "number"
    ? new Uint8Array(head.buffer)
    : joined(new Uint8Array(head.buffer), body);
}

/** What is sent after the handshake, and how many inputs that counts as. */
export type YamuxAttack = (peer: RawYamux, random: Seeded) => Promise<number>;

/** Attacks by name. */
export const YAMUX_ATTACKS: Readonly<Record<string, YamuxAttack>> = {
  randomFrames: (peer, random) =>
    sendEach(peer, 50, () => {
      const body = random.bytes(random.int(0, 100));
      return joined(
        yamuxFrame(
          random.int(0, 5),
          random.int(0, 31),
          random.int(0, 20),
          random.pick([body, body.length]),
        ),
      );
    }),
  validHeads: (peer, random) =>
    sendEach(peer, 50, () =>
      yamuxFrame(
        random.int(0, 3),
        random.int(0, 15),
        random.pick([0, 1, 2, 3, 5, 2 ** 32 - 1]),
        random.pick([0, 1, 262_144, 2 ** 31, 2 ** 32 - 1]),
      )),
  garbage: (peer, random) => sendEach(peer, 20, () => random.bytes(random.int(1, 4_096))),
  hugeLength: (peer, random) =>
    sendEach(
      peer,
      4,
      (n) => joined(yamuxFrame(TYPE.data, FLAG.syn, 2 * n + 1, 2 ** 32 - 1), random.bytes(30_000)),
    ),
  windowOverflow: (peer) =>
    sendEach(
      peer,
      200,
      (n) => yamuxFrame(TYPE.windowUpdate, n === 0 ? FLAG.syn : 0, 1, 2 ** 32 - 1),
    ),
  windowExceeded: (peer) =>
    sendEach(
      peer,
      40,
      (n) => yamuxFrame(TYPE.data, n === 0 ? FLAG.syn : 0, 1, new Uint8Array(32_768)),
    ),
  synFlood: (peer) =>
    sendEach(
      peer,
      20,
      (n) =>
        joined(
          ...Array.from(
            { length: 1_000 },
            (_, i) => yamuxFrame(TYPE.windowUpdate, FLAG.syn, 2 * (1_000 * n + i) + 1, 0),
          ),
        ),
    ),
  synResetFlood: (peer) =>
    sendEach(peer, 20, (n) =>
      joined(...Array.from({ length: 500 }, (_, i) =>
        joined(
          yamuxFrame(TYPE.windowUpdate, FLAG.syn, 2 * (500 * n + i) + 1, 0),
          yamuxFrame(TYPE.windowUpdate, FLAG.reset, 2 * (500 * n + i) + 1, 0),
        )))),
  pingFlood: (peer) =>
    sendEach(
      peer,
      20,
      () => joined(...Array.from({ length: 500 }, (_, i) => yamuxFrame(TYPE.ping, FLAG.syn, 0, i))),
    ),
  goAways: (peer, random) =>
    sendEach(peer, 10, () => yamuxFrame(TYPE.goAway, 0, 0, random.int(0, 5))),
  wrongVersion: (peer, random) =>
    sendEach(peer, 3, () => yamuxFrame(TYPE.data, FLAG.syn, 1, 0, random.int(1, 255))),
  byteByByte: async (peer) => {
    const frame = openedStream(1, "/ipfs/ping/1.0.0");
    for (const byte of frame) await peer.send(Uint8Array.of(byte));
    return 1;
  },
  unreadEchoes: async (peer, random) => {
    peer.pause();
    const ball = random.bytes(32);
    return await sendEach(peer, 400, (n) =>
      joined(
        openedStream(2 * n + 1, "/ipfs/ping/1.0.0"),
        yamuxFrame(TYPE.data, 0, 2 * n + 1, joined(...Array<Uint8Array>(1_000).fill(ball))),
      ));
  },
  unreadNegotiations: (peer, random) =>
    sendEach(peer, 400, (n) =>
      joined(
        yamuxFrame(TYPE.windowUpdate, FLAG.syn, 2 * n + 1, 0),
        yamuxFrame(
          TYPE.data,
          0,
          2 * n + 1,
          joined(line("/multistream/1.0.0"), random.bytes(10_000)),
        ),
      )),
};

// A stream as Yamux opens it, with the protocol asked for.
function openedStream(id: number, protocol: string): Uint8Array {
  const negotiation = joined(line("/multistream/1.0.0"), line(protocol));
  return joined(
    yamuxFrame(TYPE.windowUpdate, FLAG.syn, id, 0),
    yamuxFrame(TYPE.data, 0, id, negotiation),
  );
}

async function sendEach(
  peer: RawYamux,
  count: number,
  make: (index: number) => Uint8Array,
): Promise<number> {
  let sent = 0;
  for (; sent < count && peer.isOpen; sent++) await peer.send(make(sent));
  return sent;
}

// libp2p wants a muxer; this one never speaks, RawYamux does.
function silentMuxer(): StreamMuxer {
  const muxer = Object.assign(new EventTarget(), {
    protocol: YAMUX,
    streams: [],
    status: "open",
    createStream: () => Promise.reject(new TypeError("no streams here")),
    close: () => Promise.resolve(),
    abort: () => undefined,
  });
  return muxer as unknown as StreamMuxer;
}
