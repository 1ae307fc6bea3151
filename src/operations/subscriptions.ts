import { BoundedQueue, type EventBus, REPLAY_ITEMS, SUBSCRIBER_QUEUE } from "../core/mod.ts";
import type { LogEntry, LogHub } from "../system/mod.ts";
import type { EventFilter } from "./event_filter.ts";
import { type EventItem, spelledAs, type SpelledEvent, spellEvent } from "./event_names.ts";

/** What a subscriber asked for. */
export interface SubscriptionRequest {
  readonly kind: "events" | "logs";
  readonly types: readonly string[];
  readonly filter: EventFilter;
  readonly requestId: string | undefined;
  matches(event: SpelledEvent): boolean;
}

/** A running subscription as others see it. */
export interface SubscriptionState {
  readonly id: number;
  readonly request: SubscriptionRequest;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly delivered: number;
  readonly queued: number;
  readonly dropped: number;
}

/** What {@link Subscriptions} uses. */
export interface SubscriptionsComponents {
  events: Pick<EventBus, "listen" | "recent">;
  logs: Pick<LogHub, "listen" | "recent">;
}

/**
 * Everybody who reads events or logs at the moment. Each has a bounded queue of its own, so a slow
 * reader loses only its own events and is told how many.
 */
export class Subscriptions {
  readonly #components: SubscriptionsComponents;
  readonly #running = new Map<number, () => SubscriptionState>();
  #lastId = 0;
  #dropped = 0;

  constructor(components: SubscriptionsComponents) {
    this.#components = components;
  }

  /** Events lost by slow readers, since start. */
  get dropped(): number {
    return this.list().reduce((sum, { dropped }) => sum + dropped, this.#dropped);
  }

  /** All that run now, oldest first. */
  list(): SubscriptionState[] {
    return [...this.#running.values()].map((state) => state());
  }

  /**
   * Begins a subscription: first what happened in the last seconds, then what happens, without gap
   * or duplicate.
   *
   * @param signal Ends it; what waits is still read.
   */
  open(request: SubscriptionRequest, signal: AbortSignal): AsyncIterable<EventItem> {
    const { events, logs } = this.#components;
    const id = ++this.#lastId;
    let delivered = 0;
    const stops: (() => void)[] = [];
    const queue = new BoundedQueue<EventItem>(SUBSCRIBER_QUEUE, () => {
      for (const stop of stops) stop();
      if (this.#running.delete(id)) this.#dropped += queue.dropped;
    });
    const offer = (event: SpelledEvent) => {
      if (request.matches(event)) queue.push(event.item);
    };
    // All in one turn of the event loop: nothing can be published in between.
    for (const event of this.#recent(request)) offer(event);
    stops.push(logs.listen((entry) => offer(spellEntry(entry))));
    if (request.kind === "events") stops.push(events.listen((event) => offer(spellEvent(event))));
    const end = () => queue.end();
    signal.addEventListener("abort", end, { once: true });
    stops.push(() => signal.removeEventListener("abort", end));
    const since = Date.now();
    this.#running.set(id, () => {
      const { length: queued, dropped } = queue;
      return { id, request, since, delivered, queued, dropped };
    });
    if (signal.aborted) end();
    return tellLosses(queue, () => delivered++);
  }

  // Events and lines are remembered apart, so that a chatty log does not push the events out.
  #recent({ kind, matches }: SubscriptionRequest): SpelledEvent[] {
    const { events, logs } = this.#components;
    const lines = logs.recent().map(({ at, item }) => ({ at, event: spellEntry(item) }));
    const facts = kind === "logs"
      ? []
      : events.recent().map(({ at, item }) => ({ at, event: spellEvent(item) }));
    return [...facts, ...lines].filter(({ event }) => matches(event))
      .sort((a, b) => a.at - b.at).slice(-REPLAY_ITEMS).map(({ event }) => event);
  }
}

async function* tellLosses(
  queue: BoundedQueue<EventItem>,
  onDelivered: () => void,
): AsyncGenerator<EventItem> {
  let told = 0;
  for await (const item of queue) {
    yield item;
    onDelivered();
    if (queue.length > 0 || queue.dropped === told) continue;
    const dropped = queue.dropped - told;
    told += dropped;
    yield { Lagged: { dropped } };
  }
}

const spelled = new WeakMap<LogEntry, SpelledEvent>();

function spellEntry(entry: LogEntry): SpelledEvent {
  const known = spelled.get(entry);
  if (known) return known;
  const made = spelledAs("LogMessage", { ...entry });
  spelled.set(entry, made);
  return made;
}
