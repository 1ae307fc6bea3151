import { join } from "node:path";
import { Forwards } from "../forward/mod.ts";
import type { Config } from "../config/mod.ts";
import type { Service } from "../core/mod.ts";
import { assembleNetwork, type NetworkInput, type NetworkParts } from "./network.ts";
import { assemblePlugins, type PluginParts, type PluginsInput } from "./plugins.ts";
import { assembleSharing, type SharingParts } from "./sharing.ts";

/** What everything that reaches other machines stands on. */
export type OutsideInput =
  & Omit<NetworkInput, "mayUse" | "datastore">
  & Pick<PluginsInput, "dirs" | "adminToken" | "shutDown">;

/** Everything that reaches other machines; `services` start in order, `network.mdns` at the end. */
export interface OutsideParts extends Pick<PluginParts, "plugins" | "invitations"> {
  readonly network: NetworkParts;
  readonly sharing: SharingParts["sharing"];
  readonly forwards: Forwards;
  readonly services: readonly Service[];
  reload(config: Config): void;
}

/** Makes the swarm, plugins on it with their word on who may do what, and the shared library. */
export function assembleOutside(input: OutsideInput): OutsideParts {
  const config = input.config.config;
  const network = assembleNetwork({
    ...input,
    datastore: join(input.dirs.daemon, "dht.sqlite"),
    mayUse: (peerId, protocol) => plugins.plugins.mayUse(peerId, protocol),
  });
  const plugins = assemblePlugins({ ...input, network, config });
  const library = assembleSharing({
    ...{ dirs: input.dirs, config, events: input.events, network },
    isNetworked: input.isNetworked,
    selfId: input.identity.peerId,
    isTrusted: (peerId) => plugins.plugins.isTrusted(peerId),
  });
  const forwards = new Forwards({
    streams: network.streams,
    links: network.links,
    isTrusted: (peerId) => plugins.plugins.isTrusted(peerId),
  }, { path: join(input.dirs.daemon, "forwards.json"), allowsRemote: config.allow_remote });
  return {
    ...{ network, forwards, plugins: plugins.plugins, invitations: plugins.invitations },
    sharing: library.sharing,
    services: input.isNetworked
      ? [...network.services, ...plugins.services, ...library.services, forwards]
      : [network.monitor, ...plugins.services, ...library.services, forwards],
    reload(next) {
      network.reload(next);
      plugins.reload(next);
      library.reload(next);
    },
  };
}
