/** The composition root: configuration in, ordered services out. */
import { PageSessions } from "./api/mod.ts";
import { join } from "node:path";
import process from "node:process";
import {
  addGauges,
  announcer,
  assembleDoors,
  assembleOutside,
  connectionCaps,
  type Counted,
  type Doors,
  droppedCounts,
  type NetworkInput,
  networkUses,
  watchedListeners,
} from "./assembly/mod.ts";
import { type Config, parseLogFilter, type ResolvedConfig } from "./config/mod.ts";
import {
  controlPlaces,
  Daemon,
  type DataDirs,
  EventBus,
  Health,
  logger,
  Metrics,
  OperationRegistry,
  type Service,
  systemClock,
  systemRandom,
  WarmUp,
} from "./core/mod.ts";
import { createShelf } from "./library/mod.ts";
import { type Identity, type Links, loadIdentity } from "./network/mod.ts";
import { type Components, type DaemonState, operations, Subscriptions } from "./operations/mod.ts";
import type { Sharing } from "./sharing/mod.ts";
import {
  type AdminToken,
  configureLogging,
  DailyLogFile,
  DataLock,
  endLogging,
  ListenerWatchdog,
  listInstances,
  loadAdminToken,
  LogHub,
  makeFolders,
  OnlineGeolocation,
  runCommand,
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
  /** Where the control socket is, if not at its regular place. */
  controlSocket?: string;
  /** Whether it joins the swarm. @default {true} */
  isNetworked?: boolean;
  /** Whether nobody reads standard error, so that log lines go to the file alone. @default {false} */
  isBackground?: boolean;
  /** Ends the process with exit code 70. */
  giveUp(reason: string): void;
  /** Stops the daemon in order; a client asked for it. */
  shutDown(): void;
}

/** The shared library and what it stands on. */
export interface LibraryParts {
  readonly sharing: Sharing;
  readonly events: EventBus;
  readonly links: Links;
}

/** A daemon that is made but not started. */
export interface AssembledDaemon {
  readonly service: Service;
  readonly state: DaemonState;
  /** What the library's own command line drives without a door. */
  readonly library: LibraryParts;
  /** The line to systemd, silent where there is none. */
  readonly supervisor: SdNotifier;
  /** Applies another configuration to everything but the listeners. */
  reload(config: ResolvedConfig): void;
}

/** Doors that must be open before the daemon counts as ready. */
const DOORS = ["grpc", "rest", "control"];

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
  const hub = new LogHub({ clock: systemClock });
  const applyLogFilter = ({ log: filter }: Config) =>
    configureLogging(parseLogFilter(filter), {
      ...{ file: logFile, hub },
      ...options.isBackground ? {} : { terminal },
    });
  try {
    const { base, data, config, logs } = options.dirs;
    makeFolders(base, [data, config, logs]);
    applyLogFilter(options.config.config);
    logFile.write("");
    if (logFile.problem) {
      log.warn("Log file cannot be written, its lines are lost", { reason: logFile.problem });
    }
    const identity = await loadIdentity(options.dirs.data);
    const adminToken = await loadAdminToken(
      options.config.config.admin_token_file || join(options.dirs.daemon, "admin_token"),
    );
    const p2pd = await loadP2pd(options.config.config);
    const parts = buildParts(options, { identity, adminToken, hub, p2pd });
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
      library: parts.library,
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

/** What is there once the data folder is ours. */
interface Secured {
  readonly identity: Identity;
  readonly adminToken: AdminToken;
  readonly hub: LogHub;
  readonly p2pd: NetworkInput["p2pd"];
}

// These parts take longer to load than all the others together.
async function loadP2pd(
  { p2pd_listen, dht, pubsub, relay }: Config,
): Promise<NetworkInput["p2pd"]> {
  const isWanted = p2pd_listen !== "" || dht !== "off" || pubsub || relay;
  return isWanted ? await import("./assembly/p2pd_parts.ts") : undefined;
}

interface Parts {
  library: LibraryParts;
  services: Service[];
  state: DaemonState;
  health: Health;
  reload(config: Config): void;
}

function buildParts(options: DaemonOptions, secured: Secured): Parts {
  const { config, dirs, shutDown, isNetworked = true } = options;
  const { identity, adminToken, hub, p2pd } = secured;
  const caps = connectionCaps();
  const metrics = new Metrics();
  const health = new Health(["identity", ...isNetworked ? ["swarm"] : [], ...DOORS]);
  health.serving("identity");
  const events = new EventBus(() => identity.peerId);
  const geolocation = new OnlineGeolocation(
    { clock: systemClock, fetch },
    config.config.geolocation,
  );
  const outside = assembleOutside({
    ...{ identity, adminToken, events, config, dirs, caps, metrics, geolocation, health, shutDown },
    ...{ p2pd, isNetworked },
  });
  const { network, plugins, sharing } = outside;
  const subscriptions = new Subscriptions({ events, logs: hub });
  const shelf = createShelf({ clock: systemClock, events }, dirs);
  const state = describeDaemon(options, identity, () => counted);
  const sessions = new PageSessions({ clock: systemClock, random: systemRandom });
  const { libraries, jobs, fileCopy } = shelf;
  const components: Components = {
    ...{ daemon: state, health, geolocation, systemInfo, events, subscriptions },
    ...{ ...networkUses(network), libraries, jobs, fileCopy, sharing, plugins },
    ...{ traffic: network.monitor, linkReports: network.reports, pageCodes: sessions },
    ...{ invitations: outside.invitations, forwards: outside.forwards },
    instances: () => listInstances(dirs.root),
    listOperations: () => registry.list(),
  };
  const registry = new OperationRegistry<Components>(components, operations, {
    onCall: metrics.onCall,
  });
  const doors: Doors = assembleDoors({
    ...{ registry, health, metrics, config, caps, adminToken, sessions, shutDown },
    version: state.version.version,
    control: controlOf(options),
  });
  const counted: Counted = { network, doors, subscriptions, plugins };
  addGauges(metrics, state, counted);
  const watchdog = new ListenerWatchdog({
    ...{ clock: systemClock, health, giveUp: options.giveUp },
    listeners: watchedListeners(doors, network),
  });
  const { grpc, rest, control } = doors;
  return {
    services: [
      ...[...shelf.services, ...outside.services, grpc, rest],
      ...[...isNetworked ? [network.mdns] : [], watchdog, control],
      new WarmUp({ clock: systemClock }, [() => grpc.warmUp()]),
      ...[new StartMemory({ clock: systemClock }), announcer(systemClock, events, state)],
    ],
    ...{ state, health, library: { sharing, events, links: network.links } },
    reload: outside.reload,
  };
}

function controlOf({ controlSocket, dirs }: DaemonOptions) {
  return {
    place: controlPlaces(controlSocket ?? dirs.controlSocket),
    ownsFolder: controlSocket === undefined,
  };
}

// Where the doors are is known once they are open, so it is looked up when somebody asks.
function describeDaemon(
  { instance, dirs }: DaemonOptions,
  { peerId }: Identity,
  parts: () => Counted,
): DaemonState {
  return {
    version: versionInfo(),
    peerId,
    instance,
    pid: process.pid,
    dataDir: dirs.base,
    grpcAddresses: () => parts().doors.grpc.addresses(),
    restAddress: () => parts().doors.rest.address(),
    controlAddress: () => parts().doors.control.address(),
    p2pAddresses: () => parts().network.swarm.listenAddresses(),
    uptimeMs: () => performance.now(),
    counters: () => droppedCounts(parts()),
  };
}
