/** The composition root: configuration in, ordered services out. */
import process from "node:process";
import {
  addGauges,
  assembleDoors,
  assembleNetwork,
  droppedCounts,
  watchedListeners,
} from "./assembly/mod.ts";
import { type Config, type DataDirs, parseLogFilter, type ResolvedConfig } from "./config/mod.ts";
import {
  Daemon,
  EventBus,
  Health,
  logger,
  Metrics,
  OperationRegistry,
  type Service,
  systemClock,
} from "./core/mod.ts";
import { type Identity, loadIdentity } from "./network/mod.ts";
import { type Components, type DaemonState, operations } from "./operations/mod.ts";
import {
  configureLogging,
  type ConnectionCaps,
  DailyLogFile,
  DataLock,
  DEFAULT_CAPS,
  endLogging,
  fitCaps,
  ListenerWatchdog,
  makeFolders,
  OnlineGeolocation,
  openFileLimit,
  runCommand,
  runtimeWarning,
  SdNotifier,
  StartMemory,
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
    const { base, data, config, logs } = options.dirs;
    makeFolders(base, [data, config, logs]);
    applyLogFilter(options.config.config);
    logFile.write("");
    if (logFile.problem) {
      log.warn("Log file cannot be written, its lines are lost", { reason: logFile.problem });
    }
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
  const caps = connectionCaps();
  const metrics = new Metrics();
  const health = new Health(["identity", "swarm", "grpc", "rest"]);
  health.serving("identity");
  const events = new EventBus(() => identity.peerId);
  const geolocation = new OnlineGeolocation(
    { clock: systemClock, fetch },
    options.config.config.geolocation,
  );
  const { config } = options;
  const network = assembleNetwork({ identity, events, config, caps, metrics, geolocation, health });
  const { peers, swarm } = network;

  const state: DaemonState = {
    version: versionInfo(),
    peerId: identity.peerId,
    instance: options.instance,
    pid: process.pid,
    dataDir: options.dirs.base,
    grpcAddresses: () => doors.grpc.addresses(),
    restAddress: () => doors.rest.address(),
    p2pAddresses: () => swarm.listenAddresses(),
    uptimeMs: () => performance.now(),
    counters: () => droppedCounts({ network, doors }),
  };
  const components: Components = { daemon: state, health, peers, geolocation, systemInfo };
  const registry = new OperationRegistry(components, operations, { onCall: metrics.onCall });
  const { version } = state.version;
  const doors = assembleDoors({ registry, health, metrics, config, caps, version });
  addGauges(metrics, state, { network, doors });
  const { grpc, rest } = doors;
  const watchdog = new ListenerWatchdog({
    clock: systemClock,
    health,
    giveUp: options.giveUp,
    listeners: watchedListeners({ grpc, rest, swarm }),
  });
  return {
    services: [
      ...network.services,
      grpc,
      rest,
      network.mdns,
      watchdog,
      new StartMemory({ clock: systemClock }),
      announcer(events, state),
    ],
    state,
    health,
    reload: network.reload,
  };
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
