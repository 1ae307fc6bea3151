import type { EventBus, Health, Operation } from "../core/mod.ts";
import type { Forwards } from "../forward/mod.ts";
import type { Shelf } from "../library/mod.ts";
import type {
  Dht,
  LinkMonitor,
  LinkReports,
  Links,
  PeerBook,
  Pubsub,
  Reachability,
  RelayPlaces,
} from "../network/mod.ts";
import type { Invitations, PluginHost } from "../plugins/mod.ts";
import type { Sharing } from "../sharing/mod.ts";
import type { Geolocation, Instance, SystemInfo, VersionInfo } from "../system/mod.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** What the daemon tells of itself while it runs. */
export interface DaemonState {
  readonly version: VersionInfo;
  readonly peerId: string;
  /** Name of the instance; empty for the default one. */
  readonly instance: string;
  readonly pid: number;
  readonly dataDir: string;
  /** Where the doors are open now, `host:port`. */
  grpcAddresses(): readonly string[];
  restAddress(): string;
  /** Path of the control socket, or `host:port`; empty while it is closed. */
  controlAddress(): string;
  p2pAddresses(): readonly string[];
  uptimeMs(): number;
  /** Dropped and refused things by name, since start. */
  counters(): Readonly<Record<string, number>>;
}

/** How others reach this daemon. */
export interface Reach {
  readonly reachability: Reachability["state"];
  /** Undefined while relays are not used. */
  readonly relays: RelayPlaces | undefined;
  /** Peers that hold a place here; undefined if this is no relay. */
  readonly guests: readonly string[] | undefined;
}

/** Everything operations may use; each declares the part it needs. */
export interface Components {
  readonly daemon: DaemonState;
  readonly health: Health;
  readonly peers: PeerBook;
  readonly geolocation: { get(): Promise<Geolocation> };
  readonly systemInfo: () => Promise<SystemInfo>;
  readonly events: Pick<EventBus, "listen" | "subscribe">;
  readonly links: Pick<Links, "connect" | "disconnect" | "ping">;
  /** What goes through the links. */
  readonly traffic: Pick<LinkMonitor, "links" | "link" | "listen" | "throughput">;
  readonly linkReports: Pick<LinkReports, "of">;
  readonly libraries: Shelf["libraries"];
  readonly jobs: Shelf["jobs"];
  readonly fileCopy: Shelf["fileCopy"];
  readonly sharing: Pick<
    Sharing,
    | ("actions" | "dir" | "downloads" | "items" | "peers" | "scan" | "setDir" | "settled")
    | ("transfers" | "watch")
  >;
  readonly instances: () => Promise<Instance[]>;
  readonly subscriptions: Subscriptions;
  readonly forwards: Pick<Forwards, "listen" | "dial" | "list" | "close">;
  readonly reach: () => Reach;
  /** Undefined while it is off. */
  readonly dht: () => Dht | undefined;
  /** Undefined while it is off. */
  readonly pubsub: () => Pubsub | undefined;
  readonly plugins: Pick<PluginHost, "list" | "services" | "networks" | "names" | "ports">;
  /** Ways into the page, one browser each. */
  readonly pageCodes: { createCode(): { readonly code: string; readonly expiresAtMs: number } };
  readonly invitations: Pick<Invitations, "invite" | "accept">;
  /** Everything that may be asked. */
  readonly listOperations: () => readonly Operation[];
}
