import { noise } from "@chainsafe/libp2p-noise";
import type { MessageStream } from "@libp2p/interface";
import process from "node:process";
import { DaemonError, spendLast } from "../core/mod.ts";

/** Longest message of Noise. */
const MAX_MESSAGE_BYTES = 65_535;
/** The same without its tag. */
const MAX_PLAINTEXT_BYTES = MAX_MESSAGE_BYTES - 16;
/** Shorter messages are decrypted by the library's WebAssembly, longer ones by the runtime. */
const IN_PLACE_BYTES = 1_200;

/** A list of pieces of bytes, as libp2p passes them on. */
interface Pieces extends Iterable<Uint8Array> {
  readonly byteLength: number;
  append(pieces: Pieces): void;
  sublist(begin: number, end?: number): Pieces;
  subarray(begin: number, end?: number): Uint8Array;
  consume(bytes: number): void;
  getUint16(at: number): number;
}

/** The part of libp2p's encrypted stream that is replaced; none of it is its public interface. */
interface Encrypted extends MessageStream {
  readonly writeBufferLength: number;
  sendData(data: Pieces): { sentBytes: number; canSendMore: boolean };
  encrypt(plaintext: Pieces): Pieces;
  decrypt(message: Pieces): unknown;
  decoder: { lengthDecoder(received: Pieces): number };
  handshake: { decrypt(message: Pieces, target?: Uint8Array): unknown };
}

interface Raw extends MessageStream {
  readonly writeStatus: string;
  readonly socket?: unknown;
}

// By the encrypted connection.
const holding = new WeakMap<object, () => boolean>();

/** Whether bytes given to an encrypted connection still wait to be encrypted, or may for all we know. */
export function holdsPlaintext(encrypted: object): boolean {
  return holding.get(encrypted)?.() ?? true;
}

type Secure = ReturnType<ReturnType<typeof noise>>["secureOutbound"];

/**
 * Noise with fewer and fuller messages. libp2p encrypts and writes each frame of the muxer by
 * itself: a frame of 64 KiB becomes two messages, one of them tiny, and opening a stream takes
 * several writes. Here all that is sent in one turn of the event loop shares messages.
 */
export function secureChannel(): ReturnType<typeof noise> {
  const create = noise();
  return (components) => {
    const encrypter = create(components);
    encrypter.secureOutbound = gathering(encrypter.secureOutbound.bind(encrypter));
    encrypter.secureInbound = gathering(encrypter.secureInbound.bind(encrypter));
    return encrypter;
  };
}

function gathering(secure: Secure): Secure {
  return async (raw, options) => {
    const secured = await secure(raw, options);
    gather(secured.connection as unknown as Encrypted, raw as Raw);
    return secured;
  };
}

function gather(encrypted: Encrypted, raw: Raw): void {
  let pending: Pieces | undefined;
  let isPlanned = false;
  // What comes over a relay shares its buffers with other streams.
  const isSocket = raw.socket !== undefined;
  const send = (bytes: number) => {
    if (!pending || bytes === 0) return;
    const now = pending.sublist(0, bytes);
    if (bytes === pending.byteLength) pending = undefined;
    else pending.consume(bytes);
    raw.send(encrypted.encrypt(now) as never);
  };
  holding.set(encrypted, () => pending !== undefined || encrypted.writeBufferLength > 0);
  const sendAll = () => {
    if (raw.writeStatus === "writable") send(pending?.byteLength ?? 0);
  };
  const sendPlanned = () => {
    isPlanned = false;
    try {
      sendAll();
    } catch (cause) {
      encrypted.abort(new DaemonError("aborted", "Cannot write to the connection", { cause }));
    }
  };
  encrypted.sendData = (data) => {
    const sentBytes = data.byteLength;
    if (pending) pending.append(data);
    else pending = data.sublist(0);
    send(pending.byteLength - pending.byteLength % MAX_PLAINTEXT_BYTES);
    if (pending && !isPlanned) {
      isPlanned = true;
      process.nextTick(sendPlanned);
    }
    return { sentBytes, canSendMore: !raw.writableNeedsDrain };
  };
  // The library copies each message for a target that long ones do not use.
  encrypted.decrypt = (message) => {
    if (message.byteLength < IN_PLACE_BYTES) {
      return encrypted.handshake.decrypt(message, new Uint8Array(message.byteLength - 16));
    }
    const plaintext = encrypted.handshake.decrypt(message);
    // Messages come in order: the one that reaches the end of what was received at once uses it last.
    for (const piece of isSocket ? message : []) spendLast(piece);
    return plaintext;
  };
  // It throws, and catches, an error at the end of everything received.
  encrypted.decoder.lengthDecoder = (received) =>
    received.byteLength < 2 ? MAX_MESSAGE_BYTES : received.getUint16(0);
  const close = raw.close.bind(raw);
  raw.close = (options) => {
    sendAll();
    return close(options);
  };
}
