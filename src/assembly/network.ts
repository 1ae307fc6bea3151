import type { Config, ResolvedConfig } from "../config/mod.ts";
import {
  type EventBus,
  guard,
  type Health,
  type Metrics,
  type Service,
  systemClock,
  systemRandom,
} from "../core/mod.ts";
import {
  Dialer,
  GeoExchange,
  type Identity,
  isLan,
  LinkHistory,
  LinkMonitor,
  LinkReports,
  Links,
  MdnsDiscovery,
  notedDials,
  parseBootstrapPeers,
  PeerBook,
  PeerCountries,
  type PeerGeo,
  PeerStreams,
  Swarm,
} from "../network/mod.ts";
import {
  type ConnectionCaps,
  CountryTable,
  GeolocationJson,
  type OnlineGeolocation,
  versionInfo,
} from "../system/mod.ts";
import type { P2pdServer } from "../p2pd/mod.ts";
import type { Components } from "../operations/mod.ts";
import type * as P2pdParts from "./p2pd_parts.ts";
import type { P2pdStack } from "./p2pd_stack.ts";
import { libp2pMetrics } from "./libp2p_metrics.ts";
import { OfflineStreams } from "./offline_streams.ts";

/** What the network parts stand on. */
export interface NetworkInput {
  readonly identity: Identity;
  readonly events: EventBus;
  readonly config: ResolvedConfig;
  readonly caps: ConnectionCaps;
  readonly metrics: Metrics;
  readonly geolocation: OnlineGeolocation;
  readonly health: Health;
  /** Where the DHT keeps its records. */
  readonly datastore: string;
  /** Loaded only when something of it is on. */
  readonly p2pd: typeof P2pdParts | undefined;
  /** Whether a peer may use a protocol. */
  mayUse(peerId: string, protocol: string): boolean;
  /** Whether there is a swarm that peers can be reached by. */
  readonly isNetworked: boolean;
}

/** The network parts; `services` start in order, `mdns` once the doors are open. */
export interface NetworkParts {
  readonly peers: PeerBook;
  readonly swarm: Swarm;
  readonly links: Links;
  /** What goes through the links, and why there are none. */
  readonly monitor: LinkMonitor;
  readonly reports: LinkReports;
  readonly streams: PeerStreams;
  readonly mdns: MdnsDiscovery;
  readonly services: readonly Service[];
  /** DHT, pubsub and what p2pd needs; undefined when all of it is off. */
  readonly stack: P2pdStack | undefined;
  /** The p2pd socket; undefined when it is off. */
  readonly p2pd: P2pdServer | undefined;
  reload(config: Config): void;
}

/** Makes swarm, dialler, peer book, discovery and geo exchange, and ties them together. */
export function assembleNetwork(input: NetworkInput): NetworkParts {
  const { config } = input.config;
  const peers = new PeerBook(
    { events: input.events, isLan, monotonic: () => systemClock.monotonic() },
    { selfId: input.identity.peerId },
  );
  const history = new LinkHistory({ clock: systemClock });
  const dials = notedDials({
    history,
    swarm: () => swarm,
    addressesOf: (peerId) => peers.get(peerId)?.addresses ?? [],
  });
  const dialer = new Dialer({
    clock: systemClock,
    random: systemRandom,
    selfId: () => input.identity.peerId,
    isConnected: (peerId) => peers.isConnected(peerId),
    dial: (peerId, addresses, signal) => dials.dial(peerId, addresses, signal),
    onHeld: (peerId, isHeld) => history.note(peerId, { kind: isHeld ? "held" : "released" }),
  }, { bootstrapPeers: parseBootstrapPeers(config.bootstrap_peers) });
  const stack = input.p2pd?.createStack(input, () => swarm);
  const swarm = createSwarm(input, peers, dialer, stack);
  const outer = stack && input.p2pd?.stackServices(input, stack, swarm);
  const geoExchange = new GeoExchange({
    node: () => swarm.node,
    ownGeo: () => input.geolocation.get(),
    onGeo: (peerId, geo) => peers.geoReceived(peerId, geo),
    parseGeo: (json): PeerGeo => GeolocationJson().parse(json),
  }, { isSharing: config.geolocation.share });
  const monitor = createMonitor(input, swarm, history);
  const ready: Service = {
    name: "swarm-health",
    start: () => Promise.resolve(input.health.serving("swarm")),
    stop: () => Promise.resolve(),
  };
  return {
    peers,
    swarm,
    streams: new (input.isNetworked ? PeerStreams : OfflineStreams)({ swarm, dialer, peers }),
    links: new Links({ swarm: dials, dialer, peers }, { selfId: input.identity.peerId }),
    monitor,
    reports: new LinkReports({ history, dialer, peers }),
    mdns: createDiscovery(input, { peers, dialer, swarm, history }),
    stack,
    p2pd: outer?.p2pd,
    services: [...outer?.services ?? [swarm], monitor, geoExchange, dialer, ready],
    reload(next: Config): void {
      dialer.setBootstrapPeers(parseBootstrapPeers(next.bootstrap_peers));
      geoExchange.setSharing(next.geolocation.share);
      input.geolocation.setUrl(next.geolocation.url);
    },
  };
}

/** What operations use of the network. Without relays nothing is found out about reachability. */
export function networkUses(
  { peers, links, stack }: NetworkParts,
): Pick<Components, "peers" | "links" | "dht" | "pubsub" | "reach"> {
  return {
    ...{ peers, links },
    dht: () => stack?.dht,
    pubsub: () => stack?.pubsub,
    reach: () => ({
      reachability: stack?.reachability?.state ?? "unknown",
      relays: stack?.relays,
      guests: stack?.guests(),
    }),
  };
}

function createSwarm(
  input: NetworkInput,
  peers: PeerBook,
  dialer: Dialer,
  stack: P2pdStack | undefined,
): Swarm {
  const { config, origins } = input.config;
  const countries = new PeerCountries({ peers, countries: new CountryTable() });
  return new Swarm({
    clock: systemClock,
    peers,
    privateKey: input.identity.privateKey,
    metrics: libp2pMetrics(input.metrics),
    onConnected: (peerId) => {
      dialer.connected(peerId);
      countries.connected(peerId);
    },
    onDisconnected: (peerId) => dialer.disconnected(peerId),
    onAddressesChanged: () => dialer.interfacesChanged(),
    isHeld: (peerId): boolean => dialer.isHeld(peerId),
    mayUse: (peerId, protocol) => input.mayUse(peerId, protocol),
  }, {
    listen: config.p2p_listen.split(",").map((address) => address.trim()).filter(Boolean),
    isListenOptional: origins["p2p_listen"] === "default",
    maxConnections: input.caps.swarm,
    agentVersion: `almenad/${versionInfo().version}`,
    ...stack ? { extras: () => stack.extras() } : {},
  });
}

function createMonitor(
  { isNetworked }: NetworkInput,
  swarm: Swarm,
  history: LinkHistory,
): LinkMonitor {
  return new LinkMonitor({
    clock: systemClock,
    node: () => isNetworked ? swarm.node : undefined,
    onOpened: ({ peerId, address, isOurs }) =>
      history.note(peerId, { kind: "connected", addresses: [address], isOurs }),
    onEnded: ({ peerId, address, end: { isLocal: isOurs, error } }) =>
      history.note(peerId, { kind: "disconnected", addresses: [address], isOurs, error }),
  });
}

function createDiscovery(
  input: NetworkInput,
  { peers, dialer, swarm, history }: {
    peers: PeerBook;
    dialer: Dialer;
    swarm: Swarm;
    history: LinkHistory;
  },
): MdnsDiscovery {
  return new MdnsDiscovery({
    clock: systemClock,
    random: systemRandom,
    peerId: input.identity.peerId,
    ownAddresses: () => swarm.listenAddresses(),
    isKnown: (peerId) => peers.hasConnected(peerId),
    onDiscovered: ({ peerId, addresses }) => {
      if (!dialer.isAnnounced(peerId)) history.note(peerId, { kind: "heard", addresses });
      peers.mdnsDiscovered(peerId, addresses);
      dialer.announced(peerId, addresses);
    },
    onExpired: ({ peerId }) => {
      peers.mdnsExpired(peerId);
      dialer.silent(peerId);
      history.note(peerId, { kind: "silent" });
      guard("check whether a silent peer is there", () => swarm.checkPresence(peerId));
    },
  });
}
