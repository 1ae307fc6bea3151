import type { EventBus as CoreBus } from "../core/mod.ts";
import type { PeerStreams } from "../network/mod.ts";
import type { Connections } from "./connections.ts";
import type { Datagrams } from "./datagrams.ts";
import type { Networks } from "./networks.ts";
import type { PeerNames } from "./peer_names.ts";
import type * as Contract from "./plugin.ts";
import type { PluginHealth } from "./plugin_health.ts";
import type { Ports } from "./ports.ts";
import type { Services } from "./services.ts";
import type { SigningKey } from "./signing.ts";

/** What stands behind the surface; the same for every plugin. */
export interface SurfaceParts {
  readonly key: SigningKey;
  readonly identityPath: string;
  readonly adminToken: string;
  readonly trustAutoApprove: boolean;
  readonly version: Contract.VersionInfo;
  readonly events: CoreBus;
  readonly streams: PeerStreams;
  readonly connections: Connections;
  readonly ports: Ports;
  readonly datagrams: Datagrams;
  readonly networks: Networks;
  readonly names: PeerNames;
  readonly services: Services;
  readonly health: PluginHealth;
  /** Settings of a plugin, as they are now. */
  settingsOf(plugin: string): Readonly<Record<string, unknown>>;
  /** Stops the daemon in order. */
  shutDown(): void;
}
