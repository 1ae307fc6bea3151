import type { EventBus, Health, Operation } from "../core/mod.ts";
import type { Shelf } from "../library/mod.ts";
import type { Dht, Links, PeerBook, Pubsub } from "../network/mod.ts";
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

/** Everything operations may use; each declares the part it needs. */
export interface Components {
  readonly daemon: DaemonState;
  readonly health: Health;
  readonly peers: PeerBook;
  readonly geolocation: { get(): Promise<Geolocation> };
  readonly systemInfo: () => Promise<SystemInfo>;
  readonly events: Pick<EventBus, "subscribe">;
  readonly links: Pick<Links, "connect" | "disconnect" | "ping">;
  readonly libraries: Shelf["libraries"];
  readonly jobs: Shelf["jobs"];
  readonly fileCopy: Shelf["fileCopy"];
  readonly sharing: Pick<
    Sharing,
    "actions" | "dir" | "items" | "peers" | "scan" | "setDir" | "settled" | "transfers" | "watch"
  >;
  readonly instances: () => Promise<Instance[]>;
  readonly subscriptions: Subscriptions;
  /** Undefined while it is off. */
  readonly dht: () => Dht | undefined;
  /** Undefined while it is off. */
  readonly pubsub: () => Pubsub | undefined;
  readonly plugins: Pick<PluginHost, "list" | "services" | "networks" | "names" | "ports">;
  readonly invitations: Pick<Invitations, "invite" | "accept">;
  /** Everything that may be asked. */
  readonly listOperations: () => readonly Operation[];
}
