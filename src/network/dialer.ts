import {
  backoffMs,
  type Clock,
  guard,
  logger,
  type Random,
  type Service,
  type Timer,
  withDeadline,
} from "../core/mod.ts";

/** Wait before dialling a peer whose id sorts lower than ours, contract 1.4. */
export const CROSSED_DIAL_WAIT_MS = 1_000;
/** Longest wait while mDNS announces the peer, contract 1.4. */
export const ANNOUNCED_BACKOFF_MS = 10_000;
/** Longest wait otherwise, contract 1.4. */
export const SILENT_BACKOFF_MS = 60_000;
/** Between two rounds of bootstrap dials while none is connected, contract 1.4. */
export const BOOTSTRAP_INTERVAL_MS = 60_000;
/** Longest dial. */
export const DIAL_TIMEOUT_MS = 10_000;
/** Dials begun in any second, reliability R12. */
export const MAX_DIALS_PER_SECOND = 10;
/** Peers that wait for a dial. */
export const MAX_DIAL_TARGETS = 1_024;
/** Peers kept away by an operation; the longest kept one makes room. */
export const MAX_HELD_PEERS = 1_024;

/** A peer given by configuration. */
export interface BootstrapPeer {
  readonly peerId: string;
  /** Multiaddr that ends in `/p2p/<peer id>`. */
  readonly address: string;
}

/** What {@link Dialer} uses. */
export interface DialerComponents {
  clock: Clock;
  random: Random;
  selfId(): string;
  isConnected(peerId: string): boolean;
  /** Told when an operation begins, or ends, to keep a peer away. */
  onHeld?(peerId: string, isHeld: boolean): void;
  /** Connects, or throws. */
  dial(peerId: string, addresses: readonly string[], signal: AbortSignal): Promise<void>;
}

interface Target {
  readonly peerId: string;
  addresses: readonly string[];
  isAnnounced: boolean;
  /** Once connected, a peer is redialled even when mDNS fell silent. */
  wasConnected: boolean;
  failures: number;
  isDialling: boolean;
  timer: Timer | undefined;
  /** When the timer rings, monotonic. */
  dueAt: number;
  /** Ends the dial under way. */
  abort: AbortController | undefined;
}

const log = logger("network");

/** Keeps links to peers found by mDNS and to bootstrap peers: dials, and dials again with backoff. */
export class Dialer implements Service {
  readonly name = "dialer";
  readonly #components: DialerComponents;
  readonly #targets = new Map<string, Target>();
  #bootstrap: readonly BootstrapPeer[];
  #bootstrapTimer: Timer | undefined;
  #abort = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #recentDials: number[] = [];
  readonly #held = new Set<string>();

  constructor(components: DialerComponents, init: { bootstrapPeers: readonly BootstrapPeer[] }) {
    this.#components = components;
    this.#bootstrap = init.bootstrapPeers;
  }

  start(): Promise<void> {
    this.#abort = new AbortController();
    this.#dialBootstrap();
    this.#bootstrapTimer = this.#components.clock.every(
      BOOTSTRAP_INTERVAL_MS,
      () => guard("dial bootstrap peers", () => this.#dialBootstrap()),
    );
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#bootstrapTimer?.cancel();
    for (const target of this.#targets.values()) target.timer?.cancel();
    this.#targets.clear();
    await Promise.allSettled(this.#running);
  }

  /** Takes another list; new entries are dialled at once. */
  setBootstrapPeers(peers: readonly BootstrapPeer[]): void {
    this.#bootstrap = peers;
    this.#dialBootstrap();
  }

  /** mDNS heard a peer. The first announcement after silence starts the backoff anew. */
  announced(peerId: string, addresses: readonly string[]): void {
    const target = this.#targets.get(peerId) ?? this.#add(peerId);
    if (!target) return;
    const isFresh = !target.isAnnounced;
    target.isAnnounced = true;
    target.addresses = addresses;
    if (!isFresh || this.#components.isConnected(peerId)) return;
    target.failures = 0;
    const isFirst = this.#components.selfId() < peerId;
    this.#schedule(target, isFirst ? 0 : CROSSED_DIAL_WAIT_MS);
  }

  /** mDNS heard nothing of the peer for a minute. */
  silent(peerId: string): void {
    const target = this.#targets.get(peerId);
    if (!target) return;
    target.isAnnounced = false;
    if (!target.wasConnected) this.#forget(target);
  }

  /** The machine's addresses changed: every wait starts anew. */
  interfacesChanged(): void {
    for (const target of this.#targets.values()) {
      target.failures = 0;
      if (!this.#components.isConnected(target.peerId)) this.#schedule(target, 0);
    }
  }

  /** A connection to the peer opened. */
  connected(peerId: string): void {
    const target = this.#targets.get(peerId);
    if (!target) return;
    target.wasConnected = true;
    target.failures = 0;
    target.timer?.cancel();
    target.timer = undefined;
  }

  /** The last connection to the peer closed. */
  disconnected(peerId: string): void {
    const target = this.#targets.get(peerId);
    if (target) this.#retry(target);
  }

  /** Dials the peer no more, until {@link Dialer.release} or a restart (contract 1.4). */
  hold(peerId: string): void {
    if (!this.#held.delete(peerId)) this.#components.onHeld?.(peerId, true);
    this.#held.add(peerId);
    const target = this.#targets.get(peerId);
    target?.timer?.cancel();
    target?.abort?.abort();
    if (this.#held.size <= MAX_HELD_PEERS) return;
    const [longestHeld] = this.#held;
    if (longestHeld !== undefined) this.#held.delete(longestHeld);
  }

  /** Ends {@link Dialer.hold}: the peer is dialled again like any other. */
  release(peerId: string): void {
    if (!this.#held.delete(peerId)) return;
    this.#components.onHeld?.(peerId, false);
    const target = this.#targets.get(peerId);
    if (target && !this.#components.isConnected(peerId)) this.#schedule(target, 0);
  }

  /** Whether an operation keeps the peer away. */
  isHeld(peerId: string): boolean {
    return this.#held.has(peerId);
  }

  /** Whether mDNS hears the peer. */
  isAnnounced(peerId: string): boolean {
    return this.#targets.get(peerId)?.isAnnounced ?? false;
  }

  /** What becomes of a peer that is to be dialled; undefined if it is not. */
  stateOf(peerId: string): { isDialling: boolean; nextTryInMs: number | undefined } | undefined {
    const target = this.#targets.get(peerId);
    if (!target) return undefined;
    const left = target.dueAt - this.#components.clock.monotonic();
    const nextTryInMs = target.timer && left >= 0 ? left : undefined;
    return { isDialling: target.isDialling, nextTryInMs };
  }

  #dialBootstrap(): void {
    if (this.#bootstrap.some(({ peerId }) => this.#components.isConnected(peerId))) return;
    for (const { peerId, address } of this.#bootstrap) {
      const target = this.#targets.get(peerId) ?? this.#add(peerId);
      if (!target || target.isDialling) continue;
      if (!target.addresses.includes(address)) target.addresses = [...target.addresses, address];
      target.failures = 0;
      this.#schedule(target, 0);
    }
  }

  #add(peerId: string): Target | undefined {
    if (this.#targets.size >= MAX_DIAL_TARGETS) return undefined;
    const target: Target = {
      peerId,
      addresses: [],
      isAnnounced: false,
      wasConnected: this.#components.isConnected(peerId),
      failures: 0,
      isDialling: false,
      timer: undefined,
      dueAt: 0,
      abort: undefined,
    };
    this.#targets.set(peerId, target);
    return target;
  }

  #forget(target: Target): void {
    target.timer?.cancel();
    this.#targets.delete(target.peerId);
  }

  #retry(target: Target): void {
    target.failures++;
    const maxMs = target.isAnnounced ? ANNOUNCED_BACKOFF_MS : SILENT_BACKOFF_MS;
    const init = { firstMs: 1_000, maxMs, jitter: 0.2 };
    this.#schedule(target, backoffMs(target.failures, this.#components.random.unit(), init));
  }

  #schedule(target: Target, waitMs: number): void {
    if (this.#abort.signal.aborted || target.isDialling || this.#held.has(target.peerId)) return;
    target.timer?.cancel();
    const begin = () => guard("dial a peer", () => this.#begin(target));
    target.dueAt = this.#components.clock.monotonic() + waitMs;
    target.timer = this.#components.clock.after(waitMs, begin);
  }

  #begin(target: Target): void {
    if (this.#components.isConnected(target.peerId) || this.#abort.signal.aborted) return;
    if (this.#held.has(target.peerId)) return;
    if (!this.#takeDial()) return this.#schedule(target, 1_000);
    const run = this.#dial(target).finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  #takeDial(): boolean {
    const now = this.#components.clock.monotonic();
    this.#recentDials = this.#recentDials.filter((time) => now - time < 1_000);
    if (this.#recentDials.length >= MAX_DIALS_PER_SECOND) return false;
    this.#recentDials.push(now);
    return true;
  }

  async #dial(target: Target): Promise<void> {
    const { peerId, addresses } = target;
    const own = new AbortController();
    const timeout = AbortSignal.timeout(DIAL_TIMEOUT_MS);
    const signal = AbortSignal.any([this.#abort.signal, own.signal, timeout]);
    target.abort = own;
    target.isDialling = true;
    try {
      const dial = this.#components.dial(peerId, addresses, signal);
      await withDeadline(dial, DIAL_TIMEOUT_MS + 1_000, `dial peer "${peerId}"`);
    } catch (error) {
      log.debug("Dial failed", { peerId, addresses, failures: target.failures + 1, error });
    } finally {
      target.isDialling = false;
    }
    if (this.#abort.signal.aborted || !this.#targets.has(peerId)) return;
    if (!this.#components.isConnected(peerId)) this.#retry(target);
  }
}
