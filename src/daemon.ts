/** The composition root: configuration in, ordered services out. The only file that sees all. */
import { prometheusMetrics } from "@libp2p/prometheus-metrics";
import { mkdirSync } from "node:fs";
import process from "node:process";
import { GrpcServer, RestServer } from "./api/mod.ts";
import {
  type Config,
  type DataDirs,
  DEFAULT_GRPC_ADDR,
  parseHostPort,
  parseLogFilter,
  type ResolvedConfig,
} from "./config/mod.ts";
import {
  Daemon,
  DaemonError,
  EventBus,
  guard,
  Health,
  logger,
  Metrics,
  OperationRegistry,
  type Service,
  systemClock,
  systemRandom,
} from "./core/mod.ts";
import {
  Dialer,
  GeoExchange,
  type Identity,
  isLan,
  loadIdentity,
  MdnsDiscovery,
  parseBootstrapPeers,
  PeerBook,
  type PeerGeo,
  Swarm,
} from "./network/mod.ts";
import { type Components, type DaemonState, operations } from "./operations/mod.ts";
import {
  configureLogging,
  type ConnectionCaps,
  CountryTable,
  DailyLogFile,
  DataLock,
  DEFAULT_CAPS,
  endLogging,
  fitCaps,
  GeolocationJson,
  ListenerWatchdog,
  OnlineGeolocation,
  openFileLimit,
  readAsset,
  runCommand,
  runtimeWarning,
  SdNotifier,
  systemInfo,
  terminal,
  versionInfo,
} from "./system/mod.ts";

/** How a daemon is made. */
export interface DaemonOptions {
  dirs: DataDirs;
  config: ResolvedConfig;
  /** Name of the instance; empty for the default one. */
  instance: string;
  /** Ends the process with exit code 70. */
  giveUp(reason: string): void;
}

/** A daemon that is made but not started. */
export interface AssembledDaemon {
  readonly service: Service;
  readonly state: DaemonState;
  /** The line to systemd, silent where there is none. */
  readonly supervisor: SdNotifier;
  /** Applies another configuration to everything but the listeners. */
  reload(config: ResolvedConfig): void;
}

const log = logger("core");

/**
 * Takes the data folder and builds every service; `service.start()` opens the doors.
 *
 * @throws {AlreadyRunningError} if another daemon owns the folder.
 * @throws {DamagedIdentityError} if the identity cannot be trusted.
 */
export async function assembleDaemon(options: DaemonOptions): Promise<AssembledDaemon> {
  const lock = new DataLock(options.dirs);
  lock.acquire();
  const logFile = new DailyLogFile({ clock: systemClock }, { folder: options.dirs.logs });
  const applyLogFilter = ({ log: filter }: Config) =>
    configureLogging(parseLogFilter(filter), { file: logFile, terminal });
  try {
    for (const folder of [options.dirs.data, options.dirs.config, options.dirs.logs]) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    }
    applyLogFilter(options.config.config);
    const identity = await loadIdentity(options.dirs.data);
    const parts = buildParts(options, identity);
    const supervisor = new SdNotifier({ clock: systemClock, run: runCommand }, {
      env: process.env,
      pid: process.pid,
      folder: options.dirs.daemon,
      isAlive: () => parts.health.isReady(),
    });
    const release: Service = {
      name: "data-folder",
      start: () => Promise.resolve(),
      stop: () => {
        endLogging();
        logFile.close();
        lock.release();
        return Promise.resolve();
      },
    };
    return {
      service: new Daemon([release, supervisor, ...parts.services]),
      state: parts.state,
      supervisor,
      reload: (config) => {
        applyLogFilter(config.config);
        parts.reload(config.config);
      },
    };
  } catch (failure) {
    endLogging();
    logFile.close();
    lock.release();
    throw failure;
  }
}

interface Parts {
  services: Service[];
  state: DaemonState;
  health: Health;
  reload(config: Config): void;
}

function buildParts(options: DaemonOptions, identity: Identity): Parts {
  const config = options.config.config;
  const caps = connectionCaps();
  const metrics = new Metrics();
  const health = new Health(["identity", "swarm", "grpc", "rest"]);
  health.serving("identity");
  const events = new EventBus(() => identity.peerId);
  const geolocation = new OnlineGeolocation({ clock: systemClock, fetch }, config.geolocation);
  const network = buildNetwork({ identity, events, options, caps, metrics, geolocation, health });
  const { peers, swarm } = network;

  const state: DaemonState = {
    version: versionInfo(),
    peerId: identity.peerId,
    instance: options.instance,
    pid: process.pid,
    dataDir: options.dirs.base,
    grpcAddresses: () => grpc.addresses(),
    restAddress: () => rest.address(),
    p2pAddresses: () => swarm.listenAddresses(),
    uptimeMs: () => performance.now(),
    counters: () => ({
      ...prefixed("inbound_refused_", swarm.admission.refused),
      ...prefixed("mdns_dropped_", network.mdns.status().dropped),
      peers_dropped: peers.dropped,
      ...prefixed("grpc_connections_", withoutOpen(grpc.connections())),
      ...prefixed("rest_connections_", withoutOpen(rest.connections())),
    }),
  };
  const components: Components = { daemon: state, health, peers, geolocation, systemInfo };
  const registry = new OperationRegistry(components, operations, { onCall: metrics.onCall });
  const grpc = new GrpcServer({ registry, health, clock: systemClock }, {
    ...grpcListeners(options.config),
    allowRemote: config.allow_remote,
    maxConnections: caps.grpc,
  });
  const rest = new RestServer(
    { registry, health, readAsset, metrics: metrics.registry },
    {
      endpoint: endpointOf(config.rest_addr),
      isDefault: options.config.origins["rest_addr"] === "default",
      allowRemote: config.allow_remote,
      maxConnections: caps.rest,
      version: state.version.version,
    },
  );
  addGauges(metrics, state, peers, swarm);
  metrics.counts("almenad_connections", "Open inbound connections by door", () => ({
    grpc: grpc.connections().open,
    rest: rest.connections().open,
    swarm: swarm.admission.socketCount,
  }));
  const watchdog = new ListenerWatchdog({
    clock: systemClock,
    health,
    giveUp: options.giveUp,
    listeners: [
      { component: "grpc", addresses: () => grpc.endpoints() },
      { component: "rest", addresses: () => rest.endpoints() },
      { component: "swarm", addresses: () => swarm.listenEndpoints() },
    ],
  });
  return {
    services: [...network.services, grpc, rest, network.mdns, watchdog, announcer(events, state)],
    state,
    health,
    reload: network.reload,
  };
}

interface NetworkInput {
  identity: Identity;
  events: EventBus;
  options: DaemonOptions;
  caps: ConnectionCaps;
  metrics: Metrics;
  geolocation: OnlineGeolocation;
  health: Health;
}

function buildNetwork(input: NetworkInput) {
  const { identity, events, options, caps, metrics, geolocation, health } = input;
  const config = options.config.config;
  const countries = new CountryTable();
  const peers = new PeerBook(
    { events, isLan, monotonic: () => systemClock.monotonic() },
    { selfId: identity.peerId },
  );
  const swarm = new Swarm({
    clock: systemClock,
    peers,
    privateKey: identity.privateKey,
    metrics: prometheusMetrics({ registry: metrics.registry, collectDefaultMetrics: false }),
    onConnected: (peerId) => {
      dialer.connected(peerId);
      fillCountry(peers, countries, peerId);
    },
    onDisconnected: (peerId) => dialer.disconnected(peerId),
    onAddressesChanged: () => dialer.interfacesChanged(),
  }, {
    listen: config.p2p_listen.split(",").map((address) => address.trim()).filter(Boolean),
    isListenOptional: options.config.origins["p2p_listen"] === "default",
    maxConnections: caps.swarm,
    agentVersion: `almenad/${versionInfo().version}`,
  });
  const dialer = new Dialer({
    clock: systemClock,
    random: systemRandom,
    selfId: () => identity.peerId,
    isConnected: (peerId) => peers.isConnected(peerId),
    dial: (peerId, addresses, signal) => swarm.dial(peerId, addresses, signal),
  }, { bootstrapPeers: parseBootstrapPeers(config.bootstrap_peers) });
  const geoExchange = new GeoExchange({
    node: () => swarm.node,
    ownGeo: () => geolocation.get(),
    onGeo: (peerId, geo) => peers.geoReceived(peerId, geo),
    parseGeo: (json): PeerGeo => GeolocationJson.parse(json),
  }, { isSharing: config.geolocation.share });
  const mdns = new MdnsDiscovery({
    clock: systemClock,
    random: systemRandom,
    peerId: identity.peerId,
    ownAddresses: () => swarm.listenAddresses(),
    isKnown: (peerId) => peers.hasConnected(peerId),
    onDiscovered: ({ peerId, addresses }) => {
      peers.mdnsDiscovered(peerId, addresses);
      dialer.announced(peerId, addresses);
    },
    onExpired: ({ peerId }) => {
      peers.mdnsExpired(peerId);
      dialer.silent(peerId);
      guard("check whether a silent peer is there", () => swarm.checkPresence(peerId));
    },
  });
  const ready: Service = {
    name: "swarm-health",
    start: () => Promise.resolve(health.serving("swarm")),
    stop: () => Promise.resolve(),
  };
  return {
    peers,
    swarm,
    mdns,
    services: [swarm, geoExchange, dialer, ready],
    reload(next: Config): void {
      dialer.setBootstrapPeers(parseBootstrapPeers(next.bootstrap_peers));
      geoExchange.setSharing(next.geolocation.share);
      geolocation.setUrl(next.geolocation.url);
    },
  };
}

// The default also binds IPv4 loopback, because known clients dial either (contract 1.2).
function grpcListeners({ config, origins }: ResolvedConfig) {
  const { host, port } = endpointOf(config.grpc_addr);
  const isDefault = origins["grpc_addr"] === "default" && config.grpc_addr === DEFAULT_GRPC_ADDR;
  return { hosts: isDefault ? [host, "127.0.0.1"] : [host], port, isDefault };
}

function endpointOf(text: string): { host: string; port: number } {
  const endpoint = parseHostPort(text);
  if (endpoint) return endpoint;
  throw new DaemonError("invalid_argument", `Cannot use address "${text}": it is not host:port`);
}

function connectionCaps(): ConnectionCaps {
  const limit = openFileLimit();
  const caps = fitCaps(DEFAULT_CAPS, limit);
  if (caps !== DEFAULT_CAPS) {
    log.warn(
      "Few open files are allowed, so fewer connections are; raise the limit with ulimit -n",
      {
        limit,
        caps,
      },
    );
  }
  return caps;
}

function fillCountry(peers: PeerBook, countries: CountryTable, peerId: string): void {
  const address = peers.get(peerId)?.addresses.find((one) => !isLan(one));
  const [, family, ip] = address?.split("/") ?? [];
  if (family !== "ip4" || !ip || peers.get(peerId)?.geo) return;
  guard("look up a peer's country", async () => {
    await countries.load();
    const country = countries.lookup(ip);
    if (!country || peers.get(peerId)?.geo) return;
    peers.geoReceived(peerId, {
      ip,
      city: "",
      region: "",
      countryCode: country.code,
      countryName: country.name,
      timezone: "",
      latitude: 0,
      longitude: 0,
    });
  });
}

function addGauges(metrics: Metrics, state: DaemonState, peers: PeerBook, swarm: Swarm): void {
  metrics.gauge("almenad_peers", "Peers in the book", () => peers.size);
  metrics.gauge("almenad_peers_connected", "Connected peers", () => peers.connectedCount);
  metrics.gauge("almenad_uptime_seconds", "Seconds since start", () => state.uptimeMs() / 1_000);
  metrics.gauge(
    "almenad_inbound_handshakes",
    "Handshakes under way",
    () => swarm.admission.pendingCount,
  );
  metrics.counts("almenad_dropped_total", "Refused and dropped things", () => state.counters());
}

function announcer(events: EventBus, state: DaemonState): Service {
  return {
    name: "announcer",
    start: () => {
      const { version } = state.version;
      const warning = runtimeWarning(state.version.runtime);
      if (warning) log.warn(warning);
      log.info("Daemon is ready", { version, peerId: state.peerId, pid: state.pid });
      events.publish("core.started", { version, peerId: state.peerId });
      return Promise.resolve();
    },
    stop: () => {
      log.info("Daemon stops");
      events.publish("core.stopping", {});
      return Promise.resolve();
    },
  };
}

function withoutOpen({ refused, evicted }: { refused: number; evicted: number }) {
  return { refused, evicted };
}

function prefixed(
  prefix: string,
  counts: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(counts).map(([key, value]) => [`${prefix}${key}`, value]),
  );
}
