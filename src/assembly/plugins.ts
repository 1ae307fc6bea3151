import { join } from "node:path";
import type { Config } from "../config/mod.ts";
import type { DataDirs, EventBus, Service } from "../core/mod.ts";
import type { Identity } from "../network/mod.ts";
import { Invitations, PluginHost } from "../plugins/mod.ts";
import { type AdminToken, versionInfo } from "../system/mod.ts";
import type { NetworkParts } from "./network.ts";

/** What plugins stand on. */
export interface PluginsInput {
  readonly dirs: DataDirs;
  readonly identity: Identity;
  readonly adminToken: AdminToken;
  readonly events: EventBus;
  readonly network: NetworkParts;
  readonly config: Config;
  /** Stops the daemon in order. */
  shutDown(): void;
}

/** The plugins' side of the daemon. */
export interface PluginParts {
  readonly plugins: PluginHost;
  readonly invitations: Invitations;
  readonly services: readonly Service[];
  /** Gives plugins another configuration. */
  reload(config: Config): void;
}

/** Makes the host of all plugins, which loads them when it is started, and what leads to it. */
export function assemblePlugins(input: PluginsInput): PluginParts {
  const { identity, network } = input;
  let current = input.config;
  const plugins = createHost(input, () => current);
  const invitations = new Invitations({
    peerId: identity.peerId,
    addresses: () => network.swarm.listenAddresses(),
    connect: (address, signal) => network.links.connect(address, signal),
    handshake: () => plugins.services.need("handshake"),
  });
  return {
    ...{ plugins, invitations, services: [plugins] },
    reload: (config) => void (current = config),
  };
}

function createHost(input: PluginsInput, current: () => Config): PluginHost {
  const { dirs, identity, config, events, shutDown } = input;
  const settingsOf = (plugin: string): Readonly<Record<string, unknown>> | undefined => {
    const { trust, webhook } = current();
    const builtin = { handshake: trust, trustedagents: trust, webhook, policy: {} };
    return Object.hasOwn(builtin, plugin) ? builtin[plugin as keyof typeof builtin] : undefined;
  };
  const { streams } = input.network;
  return new PluginHost({ events, streams, settingsOf, shutDown }, {
    identity: { peerId: identity.peerId, raw: identity.privateKey.raw },
    identityPath: join(dirs.data, "identity.key"),
    networksPath: join(dirs.data, "networks.json"),
    adminToken: input.adminToken.reveal(),
    trustAutoApprove: config.trust.auto_approve,
    isPrivate: config.private,
    version: versionInfo(),
    runtime: {
      folder: join(dirs.config, "plugins"),
      isEnabled: config.plugins.enabled,
      list: config.plugins.list,
    },
  });
}
