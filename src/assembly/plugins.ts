import { join } from "node:path";
import type { Config } from "../config/mod.ts";
import type { DataDirs, EventBus } from "../core/mod.ts";
import type { Identity, PeerStreams } from "../network/mod.ts";
import { PluginHost } from "../plugins/mod.ts";
import { type AdminToken, versionInfo } from "../system/mod.ts";

/** What plugins stand on. */
export interface PluginsInput {
  readonly dirs: DataDirs;
  readonly identity: Identity;
  readonly adminToken: AdminToken;
  readonly events: EventBus;
  readonly streams: PeerStreams;
  /** As it is at start; see {@link PluginsInput.config} for later. */
  readonly initial: Config;
  /** The configuration in force. */
  config(): Config;
  /** Stops the daemon in order. */
  shutDown(): void;
}

/** Makes the host of all plugins; it loads them when it is started. */
export function assemblePlugins(input: PluginsInput): PluginHost {
  const { dirs, identity, initial } = input;
  const settingsOf = (plugin: string): Readonly<Record<string, unknown>> | undefined => {
    const { trust, webhook } = input.config();
    const builtin = { handshake: trust, trustedagents: trust, webhook, policy: {} };
    return Object.hasOwn(builtin, plugin) ? builtin[plugin as keyof typeof builtin] : undefined;
  };
  return new PluginHost({
    events: input.events,
    streams: input.streams,
    settingsOf,
    shutDown: input.shutDown,
  }, {
    identity: { peerId: identity.peerId, raw: identity.privateKey.raw },
    identityPath: join(dirs.data, "identity.key"),
    networksPath: join(dirs.data, "networks.json"),
    adminToken: input.adminToken.reveal(),
    trustAutoApprove: initial.trust.auto_approve,
    isPrivate: initial.private,
    version: versionInfo(),
    runtime: {
      folder: join(dirs.config, "plugins"),
      isEnabled: initial.plugins.enabled,
      list: initial.plugins.list,
    },
  });
}
