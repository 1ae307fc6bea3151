import type { Stream } from "@libp2p/interface";
import { Buffer } from "node:buffer";
import protobuf from "protobufjs";
import { DaemonError, withDeadline } from "../core/mod.ts";

/** libp2p's AutoNAT, version 1. */
export const AUTONAT_PROTOCOL = "/libp2p/autonat/1.0.0";
/** `Message.ResponseStatus`. */
export const STATUS = { ok: 0, dialError: 100, dialRefused: 101, badRequest: 200 } as const;
const TYPE = { dial: 0, dialResponse: 1 } as const;
/** A message is a few addresses. */
const MAX_MESSAGE_BYTES = 8_192;

/** What is asked, or answered. */
export interface AutonatMessage {
  dial?: { peer?: { id?: Uint8Array; addrs?: Uint8Array[] } };
  dialResponse?: { status?: number; statusText?: string; addr?: Uint8Array };
}

const message = protobuf.Root.fromJSON({
  nested: {
    PeerInfo: {
      fields: { id: { type: "bytes", id: 1 }, addrs: { rule: "repeated", type: "bytes", id: 2 } },
    },
    Dial: { fields: { peer: { type: "PeerInfo", id: 1 } } },
    DialResponse: {
      fields: {
        status: { type: "int32", id: 1 },
        statusText: { type: "string", id: 2 },
        addr: { type: "bytes", id: 3 },
      },
    },
    Message: {
      fields: {
        type: { type: "int32", id: 1 },
        dial: { type: "Dial", id: 2 },
        dialResponse: { type: "DialResponse", id: 3 },
      },
    },
  },
}).lookupType("Message");

/** A message with its length before it. */
export function encodeAutonat(fields: AutonatMessage): Uint8Array {
  const type = fields.dial ? TYPE.dial : TYPE.dialResponse;
  return message.encodeDelimited({ type, ...fields } as unknown as protobuf.Message).finish();
}

/** Reads the one message a side sends. @throws {DaemonError} if none comes in time. */
export function readAutonat(stream: Stream, timeoutMs: number): Promise<AutonatMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<AutonatMessage>();
  let bytes = Buffer.alloc(0);
  const fail = () => reject(new DaemonError("invalid_argument", "The peer sent no whole message"));
  const whole = () => {
    try {
      const reader = protobuf.Reader.create(bytes);
      const size = reader.uint32();
      if (size > MAX_MESSAGE_BYTES) return fail();
      if (bytes.byteLength - reader.pos < size) return;
      const body = bytes.subarray(reader.pos, reader.pos + size);
      resolve(message.toObject(message.decode(body)) as AutonatMessage);
    } catch {
      if (bytes.byteLength > 5) fail(); // else the length itself is cut
    }
  };
  stream.addEventListener("message", ({ data }) => {
    bytes = Buffer.concat([bytes, data.subarray()]);
    if (bytes.byteLength > MAX_MESSAGE_BYTES + 5) fail();
    else whole();
  });
  stream.addEventListener("close", fail);
  return withDeadline(promise, timeoutMs, "read an AutoNAT message");
}
