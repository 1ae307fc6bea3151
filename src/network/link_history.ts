import type { Clock } from "../core/mod.ts";
import { failureOf, type LinkFailure } from "./link_failure.ts";

/** Events kept of one peer; equal ones in a row count as one. */
export const MAX_LINK_EVENTS = 32;
/** Peers of which events are kept; the one that nothing happened to for longest makes room. */
export const MAX_LINK_PEERS = 1_024;
/** Addresses kept of one event, and the length of each. */
const MAX_ADDRESSES = 4;
const MAX_ADDRESS = 256;

/** What can happen to a link. */
export type LinkEventKind =
  | "heard"
  | "silent"
  | "dialled"
  | "connected"
  | "disconnected"
  | "held"
  | "released";

/** One thing that happened, once or several times in a row. */
export interface LinkEvent extends LinkFailure {
  readonly kind: LinkEventKind;
  /** Whether it is what one hopes for. */
  readonly isOk: boolean;
  /** The first time, milliseconds since 1970. */
  readonly firstMs: number;
  /** The last time. */
  readonly lastMs: number;
  readonly count: number;
  readonly addresses: readonly string[];
  /** Whether this side did it; undefined where that means nothing. */
  readonly isOurs: boolean | undefined;
}

/** What is told of an event. */
export interface LinkNews {
  readonly kind: LinkEventKind;
  readonly addresses?: readonly string[];
  readonly isOurs?: boolean;
  /** Why it went wrong; absent when it did not. */
  readonly error?: unknown;
  /** The same in words, where no error tells it. */
  readonly reason?: string;
}

const BAD: readonly LinkEventKind[] = ["silent", "disconnected", "held"];

/** What was tried for each peer and what came of it, bounded; for whoever asks why. */
export class LinkHistory {
  readonly #clock: Pick<Clock, "now">;
  // Whoever something happened to last stands last.
  readonly #peers = new Map<string, LinkEvent[]>();

  constructor(components: { clock: Pick<Clock, "now"> }) {
    this.#clock = components.clock;
  }

  /** Peers of which something is known. */
  get size(): number {
    return this.#peers.size;
  }

  /** Notes what happened; never throws. */
  note(peerId: string, news: LinkNews): void {
    const events = this.#peers.get(peerId) ?? [];
    this.#peers.delete(peerId);
    this.#peers.set(peerId, events);
    const event = eventOf(news, this.#clock.now());
    const before = events.at(-1);
    if (before && isSame(before, event)) {
      const { firstMs, count } = before;
      events[events.length - 1] = { ...event, firstMs, count: count + 1 };
    } else events.push(event);
    if (events.length > MAX_LINK_EVENTS) events.shift();
    if (this.#peers.size <= MAX_LINK_PEERS) return;
    const [longestQuiet] = this.#peers.keys();
    if (longestQuiet !== undefined) this.#peers.delete(longestQuiet);
  }

  /** What happened to a peer, newest first. */
  of(peerId: string): readonly LinkEvent[] {
    return [...this.#peers.get(peerId) ?? []].reverse();
  }
}

function eventOf(
  { kind, addresses = [], isOurs, error, reason }: LinkNews,
  now: number,
): LinkEvent {
  const failure = error === undefined ? { reason: reason ?? "", remedy: "" } : failureOf(error);
  return {
    ...{ kind, isOurs, firstMs: now, lastMs: now, count: 1 },
    isOk: error === undefined && !BAD.includes(kind),
    addresses: addresses.slice(0, MAX_ADDRESSES).map((one) => one.slice(0, MAX_ADDRESS)),
    ...failure,
  };
}

function isSame(a: LinkEvent, b: LinkEvent): boolean {
  return a.kind === b.kind && a.reason === b.reason && a.isOurs === b.isOurs && a.isOk === b.isOk &&
    a.addresses.join() === b.addresses.join();
}
