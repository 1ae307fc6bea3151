import type { Connection, Libp2p } from "@libp2p/interface";
import { type Clock, guard, type Service, type Timer } from "../core/mod.ts";
import { type ByteMeter, type ConnectionEnd, meterOf, onceEnded } from "./byte_meter.ts";
import { withoutPeerId } from "./listen_addresses.ts";
import { Throughput, type ThroughputRange, type ThroughputSeries } from "./throughput.ts";

/** Between two looks at the counters. */
export const SAMPLE_MS = 1_000;

/** All connections to one peer, as one link. */
export interface Link {
  readonly peerId: string;
  /** Who opened the oldest connection. */
  readonly direction: "in" | "out";
  /** Whether a third peer carries every connection. */
  readonly isRelayed: boolean;
  /** Where the other end is, as a multiaddr without its peer id. */
  readonly address: string;
  /** Milliseconds since 1970. */
  readonly connectedAtMs: number;
  readonly connections: number;
  /** Round trip of the last ping; undefined before the first. */
  readonly latencyMs: number | undefined;
  readonly inBytes: number;
  readonly outBytes: number;
  readonly inBytesPerSecond: number;
  readonly outBytesPerSecond: number;
}

/** What went through in the last second. */
export interface Sample {
  readonly timeMs: number;
  readonly stepMs: number;
  readonly inBytes: number;
  readonly outBytes: number;
  /** Peers with traffic. */
  readonly peers: readonly { peerId: string; inBytes: number; outBytes: number }[];
}

/** What {@link LinkMonitor} uses. */
export interface LinkMonitorComponents {
  clock: Clock;
  /** Undefined where there is no network. */
  node(): Pick<Libp2p, "addEventListener" | "removeEventListener" | "getConnections"> | undefined;
  /** Told of every connection that opens. */
  onOpened?(link: { peerId: string; address: string; isOurs: boolean }): void;
  /** Told of every connection that ends. */
  onEnded?(link: { peerId: string; address: string; end: ConnectionEnd }): void;
}

interface Tracked {
  readonly connection: Connection;
  readonly peerId: string;
  readonly meter: ByteMeter;
  seenIn: number;
  seenOut: number;
  inRate: number;
  outRate: number;
}

/**
 * Looks once a second at counters that exist anyway: what each connection has sent and received.
 * It asks no peer anything and costs one pass over the open connections.
 */
export class LinkMonitor implements Service {
  readonly name = "link-monitor";
  readonly #components: LinkMonitorComponents;
  readonly #throughput = new Throughput();
  readonly #open = new Map<string, Tracked>();
  readonly #listeners = new Set<(sample: Sample) => void>();
  // Of connections that ended since the last look.
  #lateIn = 0;
  #lateOut = 0;
  #lookedAt = 0;
  #timer: Timer | undefined;
  #stop: (() => void) | undefined;

  constructor(components: LinkMonitorComponents) {
    this.#components = components;
  }

  start(): Promise<void> {
    const { clock } = this.#components;
    const node = this.#components.node();
    const opened = ({ detail }: CustomEvent<Connection>) =>
      void guard("watch a connection", () => this.#track(detail));
    node?.addEventListener("connection:open", opened);
    for (const connection of node?.getConnections() ?? []) this.#track(connection);
    this.#lookedAt = clock.monotonic();
    this.#timer = clock.every(SAMPLE_MS, () => guard("count bytes", () => this.#look()));
    this.#stop = () => node?.removeEventListener("connection:open", opened);
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#timer?.cancel();
    this.#stop?.();
    this.#open.clear();
    return Promise.resolve();
  }

  /** Bytes by time, oldest first. */
  throughput(range: ThroughputRange): ThroughputSeries {
    return this.#throughput.series(range, this.#components.clock.now());
  }

  /** The links that are open, by peer id. */
  links(): Link[] {
    const byPeer = Map.groupBy(this.#open.values(), ({ peerId }) => peerId);
    return [...byPeer.values()].map(linkOf).sort((a, b) => a.peerId < b.peerId ? -1 : 1);
  }

  /** One of them. */
  link(peerId: string): Link | undefined {
    const tracked = [...this.#open.values()].filter((one) => one.peerId === peerId);
    return tracked.length > 0 ? linkOf(tracked) : undefined;
  }

  /**
   * Calls back once a second with what went through.
   *
   * @returns Stops it; safe to call twice.
   */
  listen(listener: (sample: Sample) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #track(connection: Connection): void {
    if (this.#open.has(connection.id)) return;
    const peerId = connection.remotePeer.toString();
    const address = withoutPeerId(connection.remoteAddr);
    const [seenIn, seenOut, inRate, outRate] = [0, 0, 0, 0];
    const meter = meterOf(connection);
    this.#open.set(connection.id, {
      ...{ connection, peerId, meter, seenIn, seenOut, inRate, outRate },
    });
    this.#components.onOpened?.({
      ...{ peerId, address, isOurs: connection.direction === "outbound" },
    });
    onceEnded(connection, (end) =>
      guard("forget a connection", () => {
        const tracked = this.#open.get(connection.id);
        if (!tracked) return;
        this.#open.delete(connection.id);
        this.#lateIn += meter.inBytes() - tracked.seenIn;
        this.#lateOut += meter.outBytes() - tracked.seenOut;
        this.#components.onEnded?.({ peerId, address, end });
      }));
  }

  #look(): void {
    const { clock } = this.#components;
    const elapsed = Math.max(1, clock.monotonic() - this.#lookedAt);
    this.#lookedAt = clock.monotonic();
    let [inBytes, outBytes] = [this.#lateIn, this.#lateOut];
    [this.#lateIn, this.#lateOut] = [0, 0];
    const peers = new Map<string, { peerId: string; inBytes: number; outBytes: number }>();
    for (const tracked of this.#open.values()) {
      const [addedIn, addedOut] = advance(tracked, elapsed);
      inBytes += addedIn;
      outBytes += addedOut;
      if (this.#listeners.size === 0 || addedIn + addedOut === 0) continue;
      const { peerId } = tracked;
      const { inBytes: i, outBytes: o } = peers.get(peerId) ?? { inBytes: 0, outBytes: 0 };
      peers.set(peerId, { peerId, inBytes: i + addedIn, outBytes: o + addedOut });
    }
    const timeMs = clock.now();
    this.#throughput.add(timeMs, inBytes, outBytes);
    if (this.#listeners.size === 0) return;
    const stepMs = Math.round(elapsed);
    const sample = Object.freeze({ timeMs, stepMs, inBytes, outBytes, peers: [...peers.values()] });
    for (const listener of this.#listeners) listener(sample);
  }
}

// What was added since the last look.
function advance(tracked: Tracked, elapsedMs: number): [inBytes: number, outBytes: number] {
  const [inNow, outNow] = [tracked.meter.inBytes(), tracked.meter.outBytes()];
  const [addedIn, addedOut] = [inNow - tracked.seenIn, outNow - tracked.seenOut];
  tracked.seenIn = inNow;
  tracked.seenOut = outNow;
  tracked.inRate = Math.round(addedIn * 1_000 / elapsedMs);
  tracked.outRate = Math.round(addedOut * 1_000 / elapsedMs);
  return [addedIn, addedOut];
}

function linkOf(tracked: readonly Tracked[]): Link {
  const sum = (of: (one: Tracked) => number) => tracked.reduce((all, one) => all + of(one), 0);
  const [oldest] = [...tracked].sort((a, b) => openedAt(a) - openedAt(b));
  // A direct connection says more of the way there than one over a relay.
  const shown = tracked.find(({ connection }) => !isRelayed(connection)) ?? oldest;
  const latencies = tracked.flatMap(({ connection }) => connection.rtt ?? []);
  return {
    peerId: oldest?.peerId ?? "",
    direction: oldest?.connection.direction === "inbound" ? "in" : "out",
    isRelayed: tracked.every(({ connection }) => isRelayed(connection)),
    address: shown ? withoutPeerId(shown.connection.remoteAddr) : "",
    connectedAtMs: oldest ? openedAt(oldest) : 0,
    connections: tracked.length,
    latencyMs: latencies.length > 0 ? Math.min(...latencies) : undefined,
    inBytes: sum(({ meter }) => meter.inBytes()),
    outBytes: sum(({ meter }) => meter.outBytes()),
    inBytesPerSecond: sum(({ inRate }) => inRate),
    outBytesPerSecond: sum(({ outRate }) => outRate),
  };
}

function openedAt({ connection }: Tracked): number {
  return connection.timeline.open;
}

function isRelayed({ direct }: Connection): boolean {
  return !direct;
}
