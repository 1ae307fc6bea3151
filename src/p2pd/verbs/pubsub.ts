/** PUBSUB requests. */
import type { PeerId } from "@libp2p/interface";
import { BoundedQueue, logger } from "../../core/mod.ts";
import { type Answer, type LongAnswer, ok, refusal, required } from "../answer.ts";
import type { ClientSocket } from "../client_socket.ts";
import { idBytes } from "../peer_ids.ts";
import {
  PUBSUB,
  type PubsubFields,
  PubsubMessage,
  type PubsubMessageFields,
  RESPONSE,
} from "../wire/messages.ts";

/** Publish and subscribe as requests use them. */
export interface PubsubPart {
  topics(): string[];
  /** Peers of a topic, or of every subscribed topic. */
  peers(topic: string | undefined): PeerId[];
  publish(topic: string, data: Uint8Array): Promise<void>;
  /** @returns Ends the subscription. */
  subscribe(topic: string, listener: (message: PubsubMessageFields) => void): () => void;
}

/** Messages that wait for one slow subscriber; the newest are lost. */
export const SUBSCRIPTION_QUEUE = 1_024;
/** Bytes of data in them; room for a few of the longest. */
export const SUBSCRIPTION_BYTES = 16 * 1_048_576;

const log = logger("p2pd");

/** PUBSUB. */
export async function pubsub(
  part: PubsubPart | undefined,
  body: PubsubFields | undefined,
): Promise<Answer> {
  if (!part) throw refusal("PubSub not enabled");
  const { type, topic, data } = required(body);
  switch (type) {
    case PUBSUB.getTopics:
      return ok({ pubsub: { topics: part.topics() } });
    case PUBSUB.listPeers:
      return ok({ pubsub: { peerIDs: part.peers(topic).map(idBytes) } });
    case PUBSUB.publish:
      await part.publish(required(topic, "topic"), data ?? new Uint8Array(0));
      return ok();
    case PUBSUB.subscribe:
      return subscription(part, required(topic, "topic"));
    default:
      throw refusal("Unexpected request");
  }
}

function subscription(part: PubsubPart, topic: string): LongAnswer {
  // Begun before the answer: what is published right behind it must arrive.
  const queue = new BoundedQueue<PubsubMessageFields>(SUBSCRIPTION_QUEUE, undefined, {
    limit: SUBSCRIPTION_BYTES,
    of: ({ data }) => data?.byteLength ?? 0,
  });
  const end = part.subscribe(topic, (message) => queue.push(message));
  return {
    response: { type: RESPONSE.ok },
    async follow(socket: ClientSocket): Promise<boolean> {
      const isOver = Promise.race([socket.drain(), aborted(socket.closed)]);
      void isOver.then(() => queue.cancel());
      try {
        for await (const message of queue) await socket.write(PubsubMessage.encode(message));
      } finally {
        end();
        if (queue.dropped > 0) log.debug("A slow subscriber lost messages", { topic });
      }
      return false;
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}
