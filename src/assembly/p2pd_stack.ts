/** What a p2pd drives: swarm, DHT, pubsub, relays; the same for the command and for the daemon. */
import type { Stream } from "@libp2p/interface";
import { DaemonError, guard, type Service, systemClock, type Timer } from "../core/mod.ts";
import type { Dht, Pubsub, Reachability, RelayPlaces, SqliteDatastore } from "../network/extras.ts";
import {
  drained,
  MAX_WRITE_BYTES,
  QuickStreams,
  type Swarm,
  type SwarmExtras,
  widenWindow,
} from "../network/mod.ts";
import {
  dhtMode,
  type Flags,
  listOf,
  type P2pdParts,
  PeerTags,
  StreamHandlers,
  UnaryHandlers,
} from "../p2pd/mod.ts";

/** Streams of one connection, reliability section 2, and some for the daemon's own protocols. */
const MAX_STREAMS = 1_024 + 64;
/** Peers that left and are remembered for the routing table. */
const KEPT_PEERS = 8_192;
/** How often a lost place at a relay is asked for anew. */
const RELAY_INTERVAL_MS = 5_000;
/** The same after a peer has left. */
const RELAY_SOON_MS = 250;
/** How far a peer may send ahead of a program that reads. */
const WINDOW_BYTES = 1024 * 1024;
const ECHO_PROTOCOL = "/echo/1.0.0";

/** What {@link P2pdStack} uses. */
export interface P2pdStackComponents {
  swarm(): Swarm;
  /** Told with 1 when a persistent connection opens, with -1 when one closes. */
  onPersistent?(change: 1 | -1): void;
}

/** Builds the parts from the flags; `extras` before the swarm starts, the rest behind it. */
export class P2pdStack implements Service {
  readonly name = "p2pd-stack";
  readonly #components: P2pdStackComponents;
  readonly #flags: Flags;
  readonly #parts: Omit<P2pdParts, "node" | "dht" | "pubsub">;
  readonly #tags: PeerTags;
  #dht: Dht | undefined;
  #pubsub: Pubsub | undefined;
  #relays: RelayPlaces | undefined;
  #reachability: Reachability | undefined;
  #guests: (() => string[] | undefined) | undefined;
  #datastore: SqliteDatastore | undefined;
  #timer: Timer | undefined;
  #soon: Timer | undefined;

  constructor(components: P2pdStackComponents, flags: Flags) {
    this.#components = components;
    this.#flags = flags;
    const node = () => components.swarm().node;
    const writing = {
      maxBytes: MAX_WRITE_BYTES,
      drained: (stream: Stream) => drained(stream),
      widen: (stream: Stream) => widenWindow(stream, WINDOW_BYTES),
    };
    const handlers = new StreamHandlers({ node, writing });
    const quick = new QuickStreams({ node });
    const isTaken = (protocol: string) => handlers.protocols.includes(protocol);
    const maxBytes = flags.persistentConnMaxMsgSize;
    this.#tags = new PeerTags({ node }, {
      isEnabled: flags.connManager,
      low: flags.connLo,
      high: flags.connHi,
      graceMs: flags.connGrace,
    });
    this.#parts = {
      ...{ writing, handlers, maxBytes, tags: this.#tags },
      openStream: (connection, protocols, options) => quick.open(connection, protocols, options),
      unary: new UnaryHandlers({ node, writing, isTaken }, { maxBytes }),
      dial: (peerId, addresses, signal) => components.swarm().dial(peerId, addresses, signal),
      disconnect: (peerId, signal) => components.swarm().disconnect(peerId, signal),
      opened: () => {
        components.onPersistent?.(1);
        return () => components.onPersistent?.(-1);
      },
    };
  }

  /** What answers requests, once the swarm runs. */
  parts(): P2pdParts {
    const { node } = this.#components.swarm();
    return { ...this.#parts, node, dht: this.#dht, pubsub: this.#pubsub };
  }

  /** The DHT; undefined when it is off. */
  get dht(): Dht | undefined {
    return this.#dht;
  }

  /** Pubsub; undefined when it is off. */
  get pubsub(): Pubsub | undefined {
    return this.#pubsub;
  }

  /** What peers asked for in vain, since start. */
  counts(): Record<string, number> {
    const { dht, pubsub } = this;
    const named = (prefix: string, counts: Readonly<Record<string, number>> = {}) =>
      Object.entries(counts).map(([kind, count]) => [`${prefix}${kind}`, count] as const);
    return Object.fromEntries([...named("dht_", dht?.counts), ...named("pubsub_", pubsub?.counts)]);
  }

  /** Places at relays; undefined when relays are not used. */
  get relays(): RelayPlaces | undefined {
    return this.#relays;
  }

  /** Whether others reach us; undefined before the start. */
  get reachability(): Reachability | undefined {
    return this.#reachability;
  }

  /** Peers that hold a place here; undefined when this is no relay. */
  guests(): string[] | undefined {
    return this.#guests?.();
  }

  /** The libp2p parts behind the flags. */
  async extras(): Promise<SwarmExtras> {
    const flags = this.#flags;
    const { Dht, Pubsub, Reachability, reachParts, RelayPlaces, reservationsOf, SqliteDatastore } =
      await import("../network/extras.ts");
    const node = () => this.#components.swarm().node;
    if (flags.relay) this.#relays = new RelayPlaces({ node });
    const reachability = new Reachability();
    this.#reachability = reachability;
    this.#guests = () => reservationsOf(node().services);
    const reach = await reachParts({
      usesRelays: flags.relay,
      isRelay: flags.relay && flags.relayService,
      checksOthers: flags.autonat,
      onReached: (isReached) => reachability.answered(isReached),
      mapsPort: flags.natPortMap,
      limits: {
        maxReservations: flags.relayMaxReservations,
        maxCircuits: flags.relayMaxCircuits,
        dataLimit: flags.relayDataLimit,
        timeLimitMs: flags.relayTimeLimit,
      },
    });
    const services: Record<string, unknown> = { ...reach.services };
    const mode = dhtMode(flags);
    const datastore = new SqliteDatastore(flags.datastore || ":memory:");
    this.#datastore = datastore;
    if (mode !== "off") {
      const dht = new Dht({ node: () => this.#components.swarm().node, datastore }, { mode });
      services["dht"] = dht.service;
      this.#dht = dht;
    }
    if (flags.pubsub) {
      const router = flags.pubsubRouter as "gossipsub" | "floodsub";
      const heartbeatMs = flags.gossipsubHeartbeatInterval;
      const pubsub = new Pubsub({ router, isSigned: flags.pubsubSign, heartbeatMs });
      services["pubsub"] = pubsub.service;
      this.#pubsub = pubsub;
    }
    return {
      ...reach,
      services: services as NonNullable<SwarmExtras["services"]>,
      datastore,
      announce: listOf(flags.announceAddrs),
      maxStreams: MAX_STREAMS,
      keptPeers: KEPT_PEERS,
    };
  }

  async start(): Promise<void> {
    this.#tags.watch();
    if (this.#flags.echo) await this.#serveEcho();
    const relays = this.#relays;
    if (!relays) return;
    relays.want(this.#wantedRelays());
    const ask = () => guard("ask relays for a place", () => relays.keep());
    ask();
    this.#timer = systemClock.every(RELAY_INTERVAL_MS, ask);
    // It may have been the relay; by then libp2p has taken note of that, too.
    this.#components.swarm().node.addEventListener("peer:disconnect", () => {
      this.#soon?.cancel();
      this.#soon = systemClock.after(RELAY_SOON_MS, ask);
    });
  }

  stop(): Promise<void> {
    this.#timer?.cancel();
    this.#soon?.cancel();
    return Promise.resolve();
  }

  /** Closes the datastore; after the swarm has stopped. */
  close(): void {
    this.#datastore?.close();
    this.#datastore = undefined;
  }

  async #serveEcho(): Promise<void> {
    await this.#components.swarm().node.handle(ECHO_PROTOCOL, (stream) => {
      guard("echo", () => echo(stream));
    }, { runOnLimitedConnection: true });
  }

  #wantedRelays(): string[] {
    const { autoRelay, trustedRelays, relayDiscovery, bootstrapPeers } = this.#flags;
    if (!autoRelay) return [];
    const fixed = listOf(trustedRelays || bootstrapPeers);
    return fixed.length > 0 || !relayDiscovery ? fixed : [""];
  }
}

async function echo(stream: Stream): Promise<void> {
  stream.addEventListener("message", ({ data }) => {
    try {
      if (stream.send(data.subarray())) return;
    } catch (cause) {
      return stream.abort(new DaemonError("aborted", "Cannot echo", { cause }));
    }
    guard("echo", async () => {
      await Promise.resolve(); // resume() hands out what waits before it opens the window
      if (stream.readStatus === "readable") stream.pause();
      await drained(stream);
      if (stream.readStatus === "paused") stream.resume();
    });
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.addEventListener("end", () => resolve());
  stream.addEventListener("close", () => resolve());
  await promise;
  await stream.close();
}
