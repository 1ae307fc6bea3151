import { floodsub } from "@libp2p/floodsub";
import { gossipsub } from "@libp2p/gossipsub";
import { publicKeyToProtobuf } from "@libp2p/crypto/keys";
import type { PeerId, PublicKey } from "@libp2p/interface";
import { Buffer } from "node:buffer";
import { DaemonError, logger, systemClock } from "../core/mod.ts";
import { type FloodsubParts, guardFloodsub } from "./floodsub_guard.ts";
import {
  type GossipsubParts,
  guardGossipsub,
  MAX_STREAM_BUFFER,
  ownBytes,
  type PubsubCounts,
} from "./gossipsub_guard.ts";
import { PeerBudgets } from "./peer_budgets.ts";

/** A message of a topic, with the fields other implementations give their programs. */
export interface TopicMessage {
  from?: Uint8Array;
  data: Uint8Array;
  seqno?: Uint8Array;
  topicIDs: string[];
  signature?: Uint8Array;
  key?: Uint8Array;
}

/** How {@link Pubsub} behaves. */
export interface PubsubInit {
  router: "gossipsub" | "floodsub";
  /** Whether messages are signed, and unsigned ones refused. */
  isSigned: boolean;
  /** Between two heartbeats; 0 for the router's own. */
  heartbeatMs?: number;
}

/** Largest message, in bytes; Go's default. */
export const MAX_PUBSUB_BYTES = 1_048_576;
/** Topics subscribed to at once. */
export const MAX_TOPICS = 4_096;
/** Streams of one connection that a peer sends on; one is enough, and one may replace another. */
const MAX_STREAMS = 4;
/**
 * What one peer may send: a frame with one message is two units. That many messages a second, each
 * with a signature to check, take a third of a processor.
 */
const BUDGET = {
  what: "pubsub",
  units: { perSecond: 2_000, burst: 4_000 },
  bytes: { perSecond: 32 * MAX_PUBSUB_BYTES, burst: 64 * MAX_PUBSUB_BYTES },
};

type RouterMessage = {
  type: "signed" | "unsigned";
  topic: string;
  data: Uint8Array;
  from?: PeerId;
  sequenceNumber?: bigint;
  signature?: Uint8Array;
  key?: PublicKey;
};

interface Router {
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  getTopics(): string[];
  getSubscribers(topic: string): PeerId[];
  publish(topic: string, data: Uint8Array): Promise<unknown>;
  addEventListener(type: "message", listener: (event: CustomEvent<RouterMessage>) => void): void;
}

type Listener = (message: TopicMessage) => void;

const log = logger("network");

/** Publish and subscribe by topic; a topic is joined while anybody here listens to it. */
export class Pubsub {
  readonly #init: PubsubInit;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #budgets = new PeerBudgets(systemClock, BUDGET);
  readonly #counts: PubsubCounts = { unwanted: 0, unsent: 0 };
  #router: Router | undefined;

  constructor(init: PubsubInit) {
    this.#init = init;
  }

  /** Makes the libp2p service; given to the swarm. */
  readonly service = (components: Parameters<ReturnType<typeof gossipsub>>[0]): unknown => {
    const globalSignaturePolicy = this.#init.isSigned ? "StrictSign" : "StrictNoSign";
    const { heartbeatMs } = this.#init;
    const made = this.#init.router === "floodsub"
      ? floodsub({ emitSelf: true, globalSignaturePolicy, canRelayMessage: false })(components)
      : gossipsub({
        emitSelf: true,
        globalSignaturePolicy,
        allowPublishToZeroTopicPeers: true,
        fallbackToFloodsub: true,
        runOnLimitedConnection: true,
        maxInboundDataLength: MAX_PUBSUB_BYTES + 4_096,
        maxInboundStreams: MAX_STREAMS,
        maxOutboundBufferSize: MAX_STREAM_BUFFER,
        // A peer's next frame waits for the last one, so that only one is under way.
        ...{ awaitRpcHandler: true, awaitRpcMessageHandler: true },
        ...heartbeatMs ? { heartbeatInterval: heartbeatMs } : {},
      })(components);
    if (this.#init.router === "floodsub") {
      guardFloodsub(made as unknown as FloodsubParts, this.#budgets, this.#counts);
    } else guardGossipsub(made as unknown as GossipsubParts, this.#budgets, this.#counts);
    const router = made as unknown as Router;
    router.addEventListener("message", ({ detail }) => this.#deliver(detail));
    this.#router = router;
    return made;
  };

  /** What peers asked for in vain, since start. */
  get counts(): Readonly<Record<string, number>> {
    return { slowed: this.#budgets.slowed, ...this.#counts };
  }

  /** Topics that somebody here listens to. */
  topics(): string[] {
    return [...this.#listeners.keys()];
  }

  /** Peers that listen to a topic, or to any of ours. */
  peers(topic: string | undefined): PeerId[] {
    const topics = topic === undefined ? this.topics() : [topic];
    const peers = new Map<string, PeerId>();
    for (const name of topics) {
      for (const peer of this.#running.getSubscribers(name)) peers.set(peer.toString(), peer);
    }
    return [...peers.values()];
  }

  /** Sends a message to everybody who listens, here too. */
  async publish(topic: string, data: Uint8Array): Promise<void> {
    if (data.byteLength > MAX_PUBSUB_BYTES) {
      throw new DaemonError("invalid_argument", `Cannot publish over ${MAX_PUBSUB_BYTES} bytes`);
    }
    try {
      await this.#running.publish(topic, data);
    } catch (failure) {
      // Floodsub and gossipsub both fail without listeners, which is no failure of the publisher.
      if (!/NoPeersSubscribed|InsufficientPeers/.test(String(failure))) throw failure;
    }
  }

  /** Listens to a topic. @returns Ends it. */
  subscribe(topic: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set();
    if (listeners.size === 0) {
      if (this.#listeners.size >= MAX_TOPICS) {
        throw new DaemonError("resource_exhausted", `Cannot join over ${MAX_TOPICS} topics`);
      }
      this.#listeners.set(topic, listeners);
      this.#running.subscribe(topic);
    }
    listeners.add(listener);
    return () => {
      if (!listeners.delete(listener) || listeners.size > 0) return;
      this.#listeners.delete(topic);
      this.#running.unsubscribe(topic);
    };
  }

  get #running(): Router {
    if (this.#router) return this.#router;
    throw new DaemonError("unavailable", "Cannot use pubsub: the swarm is not running");
  }

  #deliver(message: RouterMessage): void {
    const listeners = this.#listeners.get(message.topic);
    if (!listeners) return;
    const fields = ownBytes(topicMessage(message)); // it may wait for a slow program
    for (const listener of listeners) {
      try {
        listener(fields);
      } catch (error) {
        log.warn("A subscriber failed", { topic: message.topic, error });
      }
    }
  }
}

function topicMessage(message: RouterMessage): TopicMessage {
  const { from, key, sequenceNumber, signature } = message;
  const plain = { data: message.data, topicIDs: [message.topic] };
  if (!from) return plain;
  const seqno = Buffer.alloc(8);
  seqno.writeBigUInt64BE(BigInt.asUintN(64, sequenceNumber ?? 0n));
  return {
    ...plain,
    from: from.toMultihash().bytes,
    seqno,
    ...signature ? { signature } : {},
    // A key that is in the peer id already is not sent again.
    ...key && key.type === "RSA" ? { key: publicKeyToProtobuf(key) } : {},
  };
}
