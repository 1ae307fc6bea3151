import { logger } from "../core/mod.ts";
import { type Answer, failedWith, ok } from "./answer.ts";
import type { ClientSocket } from "./client_socket.ts";
import { connManager, type PeerTags } from "./verbs/conn_manager.ts";
import { dht, type DhtPart } from "./verbs/dht.ts";
import {
  connect,
  disconnect,
  identify,
  listPeers,
  type PeerPart,
  peerstore,
} from "./verbs/peers.ts";
import { persistent, type PersistentPart } from "./verbs/persistent.ts";
import { pubsub, type PubsubPart } from "./verbs/pubsub.ts";
import {
  removeStreamHandler,
  streamHandler,
  streamOpen,
  type StreamPart,
} from "./verbs/streams.ts";
import { REQUEST, Request, type RequestFields, Response } from "./wire/messages.ts";

/** What answers requests. */
export interface P2pdParts extends PeerPart, StreamPart, PersistentPart {
  readonly tags: PeerTags;
  /** Absent when it is off. */
  readonly dht?: DhtPart | undefined;
  /** Absent when it is off. */
  readonly pubsub?: PubsubPart | undefined;
}

const KNOWN_TYPES: ReadonlySet<number> = new Set(Object.values(REQUEST));

const log = logger("p2pd");

/**
 * Answers the requests of one client, one after the other, until it leaves or its connection
 * becomes something else. What cannot be read ends the connection without an answer, contract 3.2.
 */
export async function serveClient(
  socket: ClientSocket,
  parts: P2pdParts,
  progress: { began(): void; ended(): void },
): Promise<void> {
  for (;;) {
    const bytes = await socket.next();
    if (!bytes) return socket.end();
    const request = Request.decode(bytes);
    if (!KNOWN_TYPES.has(request.type)) return socket.destroy();
    const ended = new AbortController();
    const end = () => ended.abort();
    socket.closed.addEventListener("abort", end, { once: true });
    progress.began();
    try {
      const answer = await answerTo(request, parts, ended.signal);
      await socket.write(Response.encode(answer.response));
      if ("follow" in answer && !await answer.follow(socket)) return socket.end();
    } finally {
      progress.ended();
      socket.closed.removeEventListener("abort", end);
      end();
    }
  }
}

async function answerTo(
  request: RequestFields,
  parts: P2pdParts,
  closed: AbortSignal,
): Promise<Answer> {
  try {
    return await dispatch(request, parts, closed);
  } catch (failure) {
    log.debug("Request was refused", { type: request.type, failure });
    return failedWith(failure);
  }
}

async function dispatch(
  request: RequestFields,
  parts: P2pdParts,
  closed: AbortSignal,
): Promise<Answer> {
  switch (request.type) {
    case REQUEST.identify:
      return identify(parts);
    case REQUEST.connect:
      return await connect(parts, request.connect, closed);
    case REQUEST.streamOpen:
      return await streamOpen(parts, request.streamOpen, closed);
    case REQUEST.streamHandler:
      return await streamHandler(parts, request.streamHandler);
    case REQUEST.dht:
      return await dht(parts.dht, request.dht, closed);
    case REQUEST.listPeers:
      return listPeers(parts);
    case REQUEST.connManager:
      return await connManager(parts.tags, request.connManager);
    case REQUEST.disconnect:
      return await disconnect(parts, request.disconnect, closed);
    case REQUEST.pubsub:
      return await pubsub(parts.pubsub, request.pubsub);
    case REQUEST.peerstoreOrPersistent:
      return request.body9 ? await peerstore(parts, request.body9) : persistent(parts);
    case REQUEST.removeStreamHandler:
      return await removeStreamHandler(parts, request.body9);
    default:
      return ok();
  }
}
