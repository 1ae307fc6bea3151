/**
 * The part of the p2pd control protocol that tests need from a foreign p2pd (contract section 3):
 * IDENTIFY, CONNECT, DISCONNECT, LIST_PEERS, STREAM_OPEN and STREAM_HANDLER, one connection a request.
 */
import { DaemonError } from "../../src/core/mod.ts";
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { Buffer } from "node:buffer";
import protobuf from "protobufjs";
import { type ByteStream, ExactReader, SocketStream } from "./byte_stream.ts";

// Contract 3.1; `type` is required, so zero is written too, and the Go p2pd drops a handler request without `balanced`.
const SCHEMA = protobuf.parse(`
  syntax = "proto2";
  message Request {
    enum Type { IDENTIFY = 0; CONNECT = 1; STREAM_OPEN = 2; STREAM_HANDLER = 3; LIST_PEERS = 5; DISCONNECT = 7; }
    required Type type = 1;
    optional ConnectRequest connect = 2;
    optional StreamOpenRequest streamOpen = 3;
    optional StreamHandlerRequest streamHandler = 4;
    optional DisconnectRequest disconnect = 7;
  }
  message Response {
    enum Type { OK = 0; ERROR = 1; }
    required Type type = 1;
    optional ErrorResponse error = 2;
    optional StreamInfo streamInfo = 3;
    optional PeerInfo identify = 4;
    repeated PeerInfo peers = 6;
  }
  message ErrorResponse { required string msg = 1; }
  message PeerInfo { required bytes id = 1; repeated bytes addrs = 2; }
  message ConnectRequest { required bytes peer = 1; repeated bytes addrs = 2; optional int64 timeout = 3; }
  message DisconnectRequest { required bytes peer = 1; }
  message StreamOpenRequest { required bytes peer = 1; repeated string proto = 2; optional int64 timeout = 3; }
  message StreamInfo { required bytes peer = 1; required bytes addr = 2; required string proto = 3; }
  message StreamHandlerRequest { required bytes addr = 1; repeated string proto = 2; required bool balanced = 3; }
`).root;
const Request = SCHEMA.lookupType("Request");
const Response = SCHEMA.lookupType("Response");
const StreamInfoMessage = SCHEMA.lookupType("StreamInfo");

const MESSAGE_LIMIT = 1 << 22;
const P2P_CODE = [0xa5, 0x03];
const UNIX_CODE = [0x90, 0x03];

/** A peer as p2pd names it, in text forms. */
export interface P2pdPeer {
  readonly peerId: string;
  readonly addrs: readonly string[];
}

/** A stream that a p2pd opened or accepted for us. */
export interface P2pdStream extends ByteStream {
  readonly peerId: string;
  readonly protocol: string;
}

interface PeerInfoFields {
  id: Uint8Array;
  addrs: Uint8Array[];
}
interface StreamInfoFields {
  peer: Uint8Array;
  proto: string;
}
interface ResponseFields {
  type: number;
  error?: { msg: string };
  streamInfo?: StreamInfoFields;
  identify?: PeerInfoFields;
  peers: PeerInfoFields[];
}

/** Asks a p2pd over its Unix control socket. */
export class P2pdClient {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** The daemon's own id and listen addresses. */
  async identify(): Promise<P2pdPeer> {
    const { identify } = await this.#ask({ type: 0 });
    return toPeer(present(identify, "identify"));
  }

  /** Connects the daemon to a peer. */
  async connect(peerId: string, addrs: readonly string[], timeoutS = 10): Promise<void> {
    const connect = { peer: idBytes(peerId), addrs: addrs.map(addrBytes), timeout: timeoutS };
    await this.#ask({ type: 1, connect });
  }

  /** Closes the daemon's connections to a peer. */
  async disconnect(peerId: string): Promise<void> {
    await this.#ask({ type: 7, disconnect: { peer: idBytes(peerId) } });
  }

  /** The connected peers. */
  async listPeers(): Promise<P2pdPeer[]> {
    return (await this.#ask({ type: 5 })).peers.map(toPeer);
  }

  /** Opens a stream to a peer; the control connection becomes the stream. */
  async openStream(peerId: string, protocols: readonly string[]): Promise<P2pdStream> {
    const streamOpen = { peer: idBytes(peerId), proto: protocols, timeout: 10 };
    const { reader, socket } = await this.#connect();
    try {
      const response = await exchange(socket, reader, { type: 2, streamOpen });
      return withInfo(socket, reader, present(response.streamInfo, "streamInfo"));
    } catch (failure) {
      socket.close();
      throw failure;
    }
  }

  /**
   * Registers protocols; the daemon then dials `handlerPath` for each stream. Streams are served until the
   * returned function is called.
   */
  async handleStreams(
    protocols: readonly string[],
    handlerPath: string,
    serve: (stream: P2pdStream) => Promise<unknown>,
  ): Promise<() => Promise<void>> {
    const listener = Deno.listen({ transport: "unix", path: handlerPath });
    const accepting = acceptStreams(listener, serve);
    const path = new TextEncoder().encode(handlerPath);
    const addr = Uint8Array.from([...UNIX_CODE, ...varint(path.length), ...path]);
    await this.#ask({ type: 3, streamHandler: { addr, proto: protocols, balanced: false } });
    return async () => {
      listener.close();
      await accepting;
    };
  }

  async #ask(request: Record<string, unknown>): Promise<ResponseFields> {
    const { reader, socket } = await this.#connect();
    try {
      return await exchange(socket, reader, request);
    } finally {
      socket.close();
    }
  }

  async #connect(): Promise<{ reader: ExactReader; socket: SocketStream }> {
    const connection = await Deno.connect({ transport: "unix", path: this.#socketPath });
    const socket = new SocketStream(connection);
    return { reader: new ExactReader(socket), socket };
  }
}

async function exchange(
  socket: SocketStream,
  reader: ExactReader,
  request: Record<string, unknown>,
): Promise<ResponseFields> {
  await socket.write(Request.encodeDelimited(Request.fromObject(request)).finish());
  const response = Response.decode(await readDelimited(reader)) as unknown as ResponseFields;
  if (response.type === 0) return response;
  throw new DaemonError("unavailable", `p2pd says: ${response.error?.msg}`);
}

async function acceptStreams(
  listener: Deno.UnixListener,
  serve: (stream: P2pdStream) => Promise<unknown>,
): Promise<void> {
  const serving = new Set<Promise<void>>();
  for await (const connection of listener) {
    const work = serveOne(connection, serve).finally(() => serving.delete(work));
    serving.add(work);
  }
  await Promise.all(serving);
}

async function serveOne(
  connection: Deno.UnixConn,
  serve: (stream: P2pdStream) => Promise<unknown>,
): Promise<void> {
  const socket = new SocketStream(connection);
  const reader = new ExactReader(socket);
  try {
    const info = StreamInfoMessage.decode(await readDelimited(reader));
    await serve(withInfo(socket, reader, info as unknown as StreamInfoFields));
  } catch {
    // The opener notices: its stream ends without an answer.
  } finally {
    socket.close();
  }
}

function withInfo(
  socket: SocketStream,
  reader: ExactReader,
  info: StreamInfoFields,
): P2pdStream {
  return {
    peerId: idText(info.peer),
    protocol: info.proto,
    read: () => reader.read(),
    write: (bytes) => socket.write(bytes),
    closeWrite: () => socket.closeWrite(),
    close: () => socket.close(),
  };
}

async function readDelimited(reader: ExactReader): Promise<Uint8Array> {
  let length = 0;
  for (let shift = 0;; shift += 7) {
    const [byte = 0] = await reader.take(1);
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (length > MESSAGE_LIMIT) {
    throw new DaemonError("out_of_range", `p2pd announced a message of ${length} bytes`);
  }
  return reader.take(length);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [value % 0x80 | 0x80, ...varint(Math.floor(value / 0x80))];
}

function present<T>(value: T | null | undefined, field: string): T {
  if (value !== null && value !== undefined) return value;
  throw new DaemonError("data_loss", `p2pd answered OK without ${field}`);
}

function toPeer(info: PeerInfoFields): P2pdPeer {
  return {
    peerId: idText(info.id),
    addrs: info.addrs.map((addr) => multiaddr(Uint8Array.from(addr)).toString()),
  };
}

// A peer id's text form is what a multiaddr shows behind /p2p/.
function idText(id: Uint8Array): string {
  const bytes = Uint8Array.from([...P2P_CODE, ...varint(id.length), ...id]);
  return multiaddr(bytes).toString().slice("/p2p/".length);
}

function idBytes(peerId: string): Buffer {
  return Buffer.from(peerIdFromString(peerId).toMultihash().bytes);
}

function addrBytes(addr: string): Buffer {
  return Buffer.from(multiaddr(addr).bytes);
}
