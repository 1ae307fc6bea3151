/** Events, contract 4.3. */

/** An event as subscribers see it; frozen. */
export interface Event {
  readonly topic: string;
  /** Peer id of the daemon. */
  readonly nodeId: string;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** Events of the daemon and of all plugins, contract 4.3. */
export interface EventBus {
  /** Never waits and never throws. */
  publish(topic: string, payload: Readonly<Record<string, unknown>>): void;
  /** @param pattern `*`, `prefix.*` or one topic. */
  subscribe(pattern: string, options?: { buffer?: number }): Subscription;
}

/** A running subscription. */
export interface Subscription extends AsyncIterable<Event> {
  /** Events lost because the queue was full. */
  readonly dropped: number;
  /** Ends the iterator and discards the queue; safe to call again. */
  cancel(): void;
}
