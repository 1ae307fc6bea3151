/** STREAM_OPEN, STREAM_HANDLER and REMOVE_STREAM_HANDLER. */
import type { Connection, Libp2p, NewStreamOptions, Stream } from "@libp2p/interface";
import { type Answer, deadlineOf, type LongAnswer, ok, refusal, required } from "../answer.ts";
import type { ClientSocket } from "../client_socket.ts";
import { connectionTo, peerIdOf, remoteOf } from "../peer_ids.ts";
import { MAX_HANDLED_STREAMS, type StreamHandlers } from "../stream_handlers.ts";
import { pipeStream, type StreamWriting } from "../stream_pipe.ts";
import { controlAddressKey, decodeControlAddress } from "../wire/control_address.ts";
import {
  RemoveStreamHandlerRequest,
  RESPONSE,
  type StreamHandlerFields,
  type StreamInfoFields,
  type StreamOpenFields,
} from "../wire/messages.ts";

/** What these requests use. */
export interface StreamPart {
  readonly node: Libp2p;
  readonly writing: StreamWriting;
  readonly handlers: StreamHandlers;
  /** Opens a stream of the first of some protocols that the peer speaks. */
  readonly openStream: (
    connection: Connection,
    protocols: string[],
    options: NewStreamOptions & { maxOutboundStreams: number },
  ) => Promise<Stream>;
}

/** STREAM_OPEN: the connection becomes the stream. */
export async function streamOpen(
  { node, writing, openStream }: StreamPart,
  body: StreamOpenFields | undefined,
  closed: AbortSignal,
): Promise<LongAnswer> {
  const { peer, proto = [], timeout } = required(body);
  const peerId = peerIdOf(peer);
  if (proto.length === 0) throw refusal("no protocols given");
  if (peerId.equals(node.peerId)) throw refusal("dial to self attempted");
  const signal = deadlineOf(timeout, closed);
  const connection = connectionTo(node, peerId) ?? await node.dial(peerId, { signal });
  const stream = await openStream(connection, proto, {
    signal,
    runOnLimitedConnection: true,
    maxOutboundStreams: MAX_HANDLED_STREAMS,
  });
  // Nothing of it is read before the client has the answer; it may have ended already.
  if (stream.readStatus === "readable") stream.pause();
  const response = {
    type: RESPONSE.ok,
    streamInfo: streamInfo(connection, stream),
  };
  return {
    response,
    async follow(socket: ClientSocket): Promise<boolean> {
      await pipeStream({ stream, writing, ...socket.release() });
      return false;
    },
  };
}

/** Tells a program about its stream. */
export function streamInfo(connection: Connection, stream: Stream): StreamInfoFields {
  return { ...remoteOf(connection), proto: stream.protocol };
}

/** STREAM_HANDLER. */
export async function streamHandler(
  { handlers }: StreamPart,
  body: StreamHandlerFields | undefined,
): Promise<Answer> {
  const { addr, proto = [], balanced } = required(body);
  decodeControlAddress(addr);
  await handlers.add(addr, proto, balanced);
  return ok();
}

/** REMOVE_STREAM_HANDLER. */
export async function removeStreamHandler(
  { handlers }: StreamPart,
  body: Uint8Array | undefined,
): Promise<Answer> {
  const { addr, proto = [] } = RemoveStreamHandlerRequest.decode(required(body));
  controlAddressKey(addr);
  await handlers.remove(addr, proto);
  return ok();
}
