import { logger } from "./log.ts";

/**
 * The typed catalogue: every topic of the daemon and the shape of its payload.
 * Events are facts that already happened, as plain data.
 */
export interface DaemonEvents {
  /** All services run. */
  "core.started": { version: string; peerId: string };
  /** Stop began. */
  "core.stopping": Record<string, never>;
  /** A configuration field was re-read with another value. */
  "config.changed": { field: string };
  /** A peer was seen for the first time. */
  "peer.discovered": { peerId: string };
  /** The first connection to a peer opened. */
  "peer.connected": { peerId: string };
  /** The last connection to a peer closed. */
  "peer.disconnected": { peerId: string };
}

/** One of the daemon's own topics. */
export type Topic = keyof DaemonEvents;

/** What a subscriber receives; payloads are frozen. */
export interface BusEvent {
  readonly topic: string;
  /** Peer id of the daemon that published. */
  readonly nodeId: string;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** A running subscription. */
export interface Subscription extends AsyncIterable<BusEvent> {
  /** Events lost because the queue was full. */
  readonly dropped: number;
  /** Ends the iterator and discards the queue; safe to call twice. */
  cancel(): void;
}

/** Queue length of one subscriber, contract 4.3. */
export const SUBSCRIBER_QUEUE = 1_024;

const log = logger("core");

/** Whether a topic matches `*`, `prefix.*` (any depth) or an exact pattern, contract 4.3. */
export function topicMatches(pattern: string, topic: string): boolean {
  if (pattern === "" || pattern === "*") return true;
  if (pattern.endsWith(".*")) return topic.startsWith(pattern.slice(0, -1));
  return topic === pattern;
}

class BoundedQueue implements Subscription {
  dropped = 0;
  readonly #limit: number;
  readonly #onCancel: () => void;
  #queue: BusEvent[] = [];
  #wake: (() => void) | undefined;
  #ended = false;

  constructor(limit: number, onCancel: () => void) {
    this.#limit = limit;
    this.#onCancel = onCancel;
  }

  push(event: BusEvent): void {
    if (this.#queue.length >= this.#limit) {
      this.dropped++;
      return;
    }
    this.#queue.push(event);
    this.#wake?.();
  }

  cancel(): void {
    this.#ended = true;
    this.#queue = [];
    this.#onCancel();
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<BusEvent> {
    try {
      while (!this.#ended) {
        const event = this.#queue.shift();
        if (event) yield event;
        else await this.#arrival();
      }
    } finally {
      this.cancel();
    }
  }

  #arrival(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return promise;
  }
}

/** Hands facts to whoever asked for them; never waits for a reader and never throws. */
export class EventBus {
  readonly #subscribers = new Map<BoundedQueue, string>();
  readonly #nodeId: () => string;

  /** @param nodeId The peer id that events carry; empty before the identity is known. */
  constructor(nodeId: () => string) {
    this.#nodeId = nodeId;
  }

  /** Tells every matching subscriber; a full queue loses the new event for that subscriber only. */
  publish<T extends Topic>(topic: T, payload: DaemonEvents[T]): void {
    if (this.#subscribers.size === 0) return;
    try {
      const event = Object.freeze({
        topic,
        nodeId: this.#nodeId(),
        time: new Date().toISOString(),
        payload: Object.freeze({ ...payload }),
      });
      for (const [queue, pattern] of this.#subscribers) {
        if (topicMatches(pattern, topic)) queue.push(event);
      }
    } catch (error) {
      log.error("Event could not be published", { topic, error });
    }
  }

  /** Receives what is published from now on, in order. */
  subscribe(pattern: string, options: { buffer?: number } = {}): Subscription {
    const queue: BoundedQueue = new BoundedQueue(
      options.buffer ?? SUBSCRIBER_QUEUE,
      () => this.#subscribers.delete(queue),
    );
    this.#subscribers.set(queue, pattern);
    return queue;
  }
}
