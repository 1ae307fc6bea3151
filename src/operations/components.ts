import type { Health } from "../core/mod.ts";
import type { PeerBook } from "../network/mod.ts";
import type { Geolocation, SystemInfo, VersionInfo } from "../system/mod.ts";

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
}
