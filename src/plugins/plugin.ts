/**
 * The contract between the daemon and its plugins, contract section 4: types alone, so that a
 * plugin depends on nothing and anything of the right shape is a plugin.
 *
 * A plugin module exports `register`:
 *
 * ```ts ignore
 * import type { Register } from "@almena/almenad/plugin";
 *
 * export const register: Register = ({ registerPlugin }) =>
 *   registerPlugin("greeter", () => ({
 *     name: "greeter",
 *     init: (daemon) => daemon.publishEvent("greeter.hello", { peer: daemon.peerId() }),
 *     shutdown: () => undefined,
 *   }));
 * ```
 */

import type { Daemon } from "./contract/daemon.ts";

export type { Daemon } from "./contract/daemon.ts";
export type { Event, EventBus, Subscription } from "./contract/events.ts";
export type {
  Connection,
  ConnectionInfo,
  ConnReadWriter,
  Datagram,
  Listener,
  PortAllocator,
  StreamRegistry,
  TunnelRegistry,
} from "./contract/links.ts";
export type {
  NetworkInfo,
  NetworkMember,
  NetworkNodes,
  NetworkRegistry,
} from "./contract/networks.ts";
export type { Identity, PeerRef, PeerState, VersionInfo } from "./contract/peers.ts";
export type {
  PolicyEventType,
  PolicyExplanation,
  PolicyManager,
  PolicyQuestion,
  PolicyRunner,
  ShadowVerdict,
} from "./contract/policy.ts";
export type {
  HandshakePendingRecord,
  HandshakeService,
  HandshakeTrustRecord,
  OutgoingRequest,
  TrustChecker,
} from "./contract/trust.ts";
export type { WebhookManager, WebhookStats, WebhookTest } from "./contract/webhook.ts";

/** Something that extends the daemon. */
export interface Plugin {
  /** Stable name: stands in logs, metrics and status. */
  readonly name: string;
  /** Wires the plugin to a daemon that listens; a failure ends the start. At most 10 s. */
  init(daemon: Daemon): void | Promise<void>;
  /**
   * Ends all background work. The daemon can still be used, but takes no new traffic.
   *
   * @param signal Aborts when all plugins together have had their 5 s.
   */
  shutdown(signal: AbortSignal): void | Promise<void>;
}

/** Makes a fresh instance, once per load. */
export type Factory = () => Plugin;

/** What a plugin module may do when it is loaded. */
export interface Registrar {
  /** @throws DuplicatePluginError if the name is taken. */
  registerPlugin(name: string, factory: Factory): void;
}

/** What every plugin module exports under the name `register`. */
export type Register = (registrar: Registrar) => void;
