import { BoundedQueue } from "./bounded_queue.ts";
import { logger } from "./log.ts";
import { systemClock } from "./ports.ts";
import { Recent } from "./recent.ts";

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
  /** A library was made; contract 2.5 names the fields of this and the following topics. */
  "library.created": LibraryEvent;
  /** A library can be used again. */
  "library.opened": LibraryEvent;
  /** News of the shared library, contract 5.6; `event` is the contract's own name. */
  [topic: `library.${"games" | "game" | "got" | "no" | "local" | "peer" | "runtime"}-${string}`]:
    SharedLibraryEvent;
  /** A library takes no further work. */
  "library.closed": LibraryEvent;
  /** A library was forgotten; its files stay. */
  "library.deleted": LibraryEvent;
  /** A folder became part of a library. */
  "location.added": LocationEvent;
  /** A folder is no longer part of a library; its files stay. */
  "location.removed": LocationEvent;
  /** A job began, got further or ended. */
  "job.updated": JobEvent;
  /** Something a client may show changed, such as a file that was copied. */
  "resource.changed": {
    resource_type: string;
    resource: { readonly library_id?: string; readonly path?: string };
  };
  /** A peer asks for trust; contract 4.4 names the states behind this and the following topics. */
  "handshake.received": { peerId: string };
  /** A person has to decide. */
  "handshake.pending": { peerId: string; justification: string };
  "handshake.approved": { peerId: string };
  "handshake.auto_approved": { peerId: string; reason: string };
  "handshake.rejected": { peerId: string; reason: string };
  /** A peer became trusted, or is no longer. */
  "trust.changed": { peerId: string; granted: boolean };
  "trust.revoked": { peerId: string };
  "trust.revoked_by_peer": { peerId: string };
}

/** Which library an event is about. */
export interface LibraryEvent {
  readonly id: string;
  readonly name: string;
}

/** What happened in the shared library; further fields by event. */
export type SharedLibraryEvent = Readonly<Record<string, unknown>>;

/** Which location an event is about. */
export interface LocationEvent {
  readonly id: string;
  readonly library_id: string;
  readonly path: string;
}

/** How far a job is. */
export type JobStatus = "Queued" | "Running" | "Completed" | "Failed" | "Cancelled";

/** The state of a job at one moment. */
export interface JobEvent {
  readonly job_id: string;
  readonly library_id?: string;
  readonly status: JobStatus;
  /** 0 to 1. */
  readonly progress?: number;
  readonly message?: string;
  /** Of the call that made the job. */
  readonly request_id?: string;
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

/** Events that could not be published are told of at most so often. */
const REFUSAL_INTERVAL_MS = 10_000;
const OPEN_TOPIC = /^[a-z0-9_-]{1,64}(\.[a-z0-9_-]{1,64}){0,8}$/;

/** Hands facts to whoever asked for them; never waits for a reader and never throws. */
export class EventBus {
  readonly #listeners = new Set<(event: BusEvent) => void>();
  readonly #nodeId: () => string;
  readonly #recent: Recent<BusEvent>;
  #refusedAt = -Infinity;
  #refusedCount = 0;

  /**
   * @param nodeId The peer id that events carry; empty before the identity is known.
   * @param init.monotonic Milliseconds that never go backwards, for the replay.
   */
  constructor(nodeId: () => string, init: { monotonic?: () => number } = {}) {
    this.#nodeId = nodeId;
    this.#recent = new Recent(init.monotonic ?? (() => systemClock.monotonic()));
  }

  /** Tells every matching subscriber; a full queue loses the new event for that subscriber only. */
  publish<T extends Topic>(topic: T, payload: DaemonEvents[T]): void {
    try {
      const event = Object.freeze({
        topic,
        nodeId: this.#nodeId(),
        time: new Date().toISOString(),
        payload: Object.freeze({ ...payload }),
      });
      this.#recent.add(event);
      for (const listener of this.#listeners) listener(event);
    } catch (error) {
      log.error("Event could not be published", { topic, error });
    }
  }

  /**
   * Tells of something outside the catalogue: a topic of a plugin. The payload is copied in depth,
   * because whoever made it is not ours.
   *
   * @param topic Lower-case words with dots between them; another one is logged and goes nowhere.
   */
  publishOpen(topic: string, payload: Readonly<Record<string, unknown>>): void {
    try {
      if (!OPEN_TOPIC.test(topic)) throw new TypeError("the topic is no lower-case dotted name");
      this.publish(topic as Topic, deepFreeze(structuredClone(payload)) as never);
    } catch (error) {
      this.#refused(String(topic).slice(0, 200), error);
    }
  }

  // A plugin that does so in a loop must not wash everything else out of the log.
  #refused(topic: string, error: unknown): void {
    this.#refusedCount++;
    const now = systemClock.monotonic();
    if (now - this.#refusedAt < REFUSAL_INTERVAL_MS) return;
    this.#refusedAt = now;
    log.warn("Event of a plugin goes nowhere", { topic, error, soFar: this.#refusedCount });
  }

  /** Receives what is published from now on, in order. */
  subscribe(pattern: string, options: { buffer?: number } = {}): Subscription {
    const stop = this.listen((event) => {
      if (topicMatches(pattern, event.topic)) queue.push(event);
    });
    const queue = new BoundedQueue<BusEvent>(options.buffer ?? SUBSCRIBER_QUEUE, stop);
    return queue;
  }

  /**
   * Calls back for each event while it is published; the listener must neither wait nor throw.
   *
   * @returns Stops it; safe to call twice.
   */
  listen(listener: (event: BusEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * What was published in the last moments, oldest first. Read together with {@link listen} in one
   * turn of the event loop, nothing is missing or double.
   */
  recent(): readonly { readonly at: number; readonly item: BusEvent }[] {
    return this.#recent.list();
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
