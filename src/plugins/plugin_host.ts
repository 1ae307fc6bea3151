import { DaemonError, type EventBus, logger, messageOf, pause, type Service } from "../core/mod.ts";
import type { PeerStreams } from "../network/mod.ts";
import * as builtin from "./builtin.ts";
import { Connections } from "./connections.ts";
import { Datagrams } from "./datagrams.ts";
import { DaemonSurface } from "./daemon_surface.ts";
import { JsonStore } from "./json_store.ts";
import { Networks } from "./networks.ts";
import { PeerNames } from "./peer_names.ts";
import type { Plugin, Register, VersionInfo } from "./plugin.ts";
import { PluginHealth } from "./plugin_health.ts";
import { PluginRegistry, SHUTDOWN_TIMEOUT_MS, shutdownAll } from "./plugin_registry.ts";
import { HANDSHAKE_PORT, PortGate } from "./port_gate.ts";
import { portProtocol, Ports } from "./ports.ts";
import {
  importRuntimePlugins,
  type RuntimePlugin,
  type RuntimePluginsInit,
} from "./runtime_plugins.ts";
import { Services } from "./services.ts";
import { SigningKey } from "./signing.ts";
import { UncaughtWatch } from "./uncaught_watch.ts";

/** What {@link PluginHost} uses. */
export interface PluginHostComponents {
  readonly events: EventBus;
  readonly streams: PeerStreams;
  /** Settings of a built-in plugin as they are now; undefined for another. */
  settingsOf(plugin: string): Readonly<Record<string, unknown>> | undefined;
  /** Stops the daemon in order. */
  shutDown(): void;
}

/** How {@link PluginHost} behaves. */
export interface PluginHostInit {
  /** Peer id, and 32 bytes of seed followed by 32 of public key; null without an identity. */
  readonly identity: { readonly peerId: string; readonly raw: Uint8Array } | null;
  /** Empty without an identity file. */
  readonly identityPath: string;
  /** Path of networks.json; empty to keep nothing. */
  readonly networksPath: string;
  readonly adminToken: string;
  readonly trustAutoApprove: boolean;
  /** Untrusted peers get the handshake only. */
  readonly isPrivate: boolean;
  readonly version: VersionInfo;
  readonly runtime: RuntimePluginsInit;
  /** The built-in plugins; those of builtin.ts when absent. */
  readonly builtin?: readonly Register[];
}

/** One plugin as status shows it. */
export interface PluginState {
  readonly name: string;
  readonly origin: "builtin" | "file";
  readonly state: "loaded" | "refused" | "stopped";
  readonly isHealthy: boolean;
  readonly failures: number;
  /** Why it was refused, or what failed last; empty when nothing did. */
  readonly problem: string;
  readonly services: readonly string[];
}

/** Protocols that untrusted peers may use in private mode: to ask for trust, and to be asked. */
const OPEN_PROTOCOLS: readonly string[] = [portProtocol(HANDSHAKE_PORT)];
/** What the webhook gets at least for the last events. */
const LAST_EVENTS_MS = 200;
const log = logger("plugins");

/** Loads plugins, gives them their daemon, and ends them. */
export class PluginHost implements Service {
  readonly name = "plugins";
  readonly stopTimeoutMs = SHUTDOWN_TIMEOUT_MS + 500;
  readonly networks: Networks;
  readonly services = new Services();
  readonly names: PeerNames;
  readonly health: PluginHealth;
  readonly gate: PortGate;
  readonly ports: Ports;
  readonly datagrams: Datagrams;
  readonly #components: PluginHostComponents;
  readonly #init: PluginHostInit;
  readonly #key: SigningKey;
  readonly #connections = new Connections();
  readonly #surfaces = new Map<string, DaemonSurface>();
  #files: RuntimePlugin[] = [];
  #fileOf = new Map<string, RuntimePlugin>();
  #loaded: readonly Plugin[] = [];
  #stopping: Promise<void> | undefined;
  readonly #uncaught = new UncaughtWatch((plugin, error) =>
    this.health.failed(plugin, "a callback of its own", error)
  );

  constructor(components: PluginHostComponents, init: PluginHostInit) {
    this.#components = components;
    this.#init = init;
    this.#key = new SigningKey(init.identity);
    const { events, streams } = components;
    const publish = (topic: string, payload: Record<string, unknown>) =>
      events.publishOpen(topic, payload);
    const selfId = () => this.#key.peerId;
    this.health = new PluginHealth(publish);
    this.networks = new Networks({ store: new JsonStore(init.networksPath), selfId, publish });
    this.names = new PeerNames(() => this.#knownPeers());
    this.gate = new PortGate({
      selfId,
      isPrivate: () => init.isPrivate,
      isTrusted: (peerId) => this.isTrusted(peerId),
      policies: () => this.services.find("policy"),
      tagsOf: (network, peerId) => this.networks.tagsOf(network, peerId),
    });
    const shared = { streams, gate: this.gate };
    this.ports = new Ports({ ...shared, selfId, connections: this.#connections });
    this.datagrams = new Datagrams(shared);
  }

  /** Loads everything. @throws {DaemonError} naming the plugin that could not be loaded. */
  async start(): Promise<void> {
    this.#stopping = undefined;
    try {
      await this.#load();
    } catch (failure) {
      await this.stop().catch((error) => log.error("Unwinding failed", { error }));
      throw failure;
    }
    this.gate.open();
  }

  /** Ends everything. @throws {AggregateError} if plugins did not end well. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopNow();
    return this.#stopping;
  }

  /** The daemon as a plugin sees it. */
  surfaceOf(plugin: string): DaemonSurface {
    const known = this.#surfaces.get(plugin);
    if (known) return known;
    const { identityPath, adminToken, trustAutoApprove, version } = this.#init;
    const { events, streams } = this.#components;
    const surface = new DaemonSurface({
      ...{ identityPath, adminToken, trustAutoApprove, version, events, streams },
      key: this.#key,
      connections: this.#connections,
      ports: this.ports,
      datagrams: this.datagrams,
      networks: this.networks,
      names: this.names,
      services: this.services,
      health: this.health,
      settingsOf: (name) =>
        this.#components.settingsOf(name) ?? this.#fileOf.get(name)?.settings ?? {},
      shutDown: () => this.#components.shutDown(),
    }, plugin);
    this.#surfaces.set(plugin, surface);
    return surface;
  }

  /** Whether a peer is trusted; nobody is without a handshake service that says so. */
  isTrusted(peerId: string): boolean {
    const service = this.services.find("handshake");
    return this.health.run("handshake", "isTrusted", () => service?.isTrusted(peerId), false) ??
      false;
  }

  /** Whether a peer may use a protocol: in private mode only trusted ones may. */
  mayUse(peerId: string, protocol: string): boolean {
    if (!this.#init.isPrivate || OPEN_PROTOCOLS.includes(protocol)) return true;
    return this.isTrusted(peerId);
  }

  /** All plugins, by name. */
  list(): PluginState[] {
    const loaded = this.#loaded.map(({ name }): PluginState => {
      const { isHealthy, failures, lastError } = this.health.of(name);
      return {
        ...{ name, isHealthy, failures, problem: lastError },
        origin: this.#fileOf.has(name) ? "file" : "builtin",
        state: this.#stopping ? "stopped" : "loaded",
        services: this.services.offeredBy(name),
      };
    });
    const refused = this.#files.flatMap(({ name, refused: problem }): PluginState[] =>
      problem === undefined ? [] : [{
        name,
        origin: "file",
        state: "refused",
        isHealthy: true,
        failures: 0,
        problem,
        services: [],
      }]
    );
    return [...loaded, ...refused].sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** Counts since start. */
  counts(): Readonly<Record<string, number>> {
    const { refused, denied } = this.ports;
    return {
      port_connections_refused: refused,
      port_connections_denied: denied,
      datagrams_dropped: this.datagrams.dropped,
    };
  }

  async #load(): Promise<void> {
    await Promise.all([this.networks.load(), this.datagrams.start()]);
    const registry = new PluginRegistry();
    for (const register of this.#init.builtin ?? Object.values(builtin)) registry.add(register);
    await this.#addFiles(registry);
    const { loaded, error } = await registry.loadAll((plugin) => this.surfaceOf(plugin));
    this.#loaded = loaded;
    if (error) throw error;
  }

  async #addFiles(registry: PluginRegistry): Promise<void> {
    this.#files = await importRuntimePlugins(this.#init.runtime);
    this.#fileOf = new Map();
    for (const file of this.#files) {
      const before = registry.registered();
      try {
        if (file.register) registry.add(file.register);
      } catch (cause) {
        const reason = `Cannot load plugin ${file.path}: ${messageOf(cause)}`;
        throw new DaemonError("failed_precondition", reason, { cause });
      }
      for (const name of registry.registered()) {
        if (!before.includes(name)) this.#fileOf.set(name, file);
      }
    }
    this.#uncaught.start(this.#fileOf);
  }

  async #stopNow(): Promise<void> {
    this.gate.close();
    const endsAt = performance.now() + SHUTDOWN_TIMEOUT_MS;
    try {
      await shutdownAll(
        this.#loaded,
        AbortSignal.timeout(SHUTDOWN_TIMEOUT_MS),
        (plugin, error) => this.health.failed(plugin, "shutdown", error),
      );
    } finally {
      await this.#sendLastEvents(Math.max(LAST_EVENTS_MS, endsAt - performance.now()));
      this.#uncaught.stop();
      for (const surface of this.#surfaces.values()) surface.release();
      this.#surfaces.clear();
      this.#connections.closeAll();
      await this.ports.stop();
      await this.datagrams.stop().catch(() => undefined); // the swarm was never up
      this.services.clear();
    }
  }

  // The webhook's plugin is among the first that end; what the others say at the end goes out here.
  async #sendLastEvents(timeoutMs: number): Promise<void> {
    const webhook = this.services.find("webhook");
    if (!webhook?.close) return;
    const abort = new AbortController();
    const closed = this.health.run("webhook", "close", () => webhook.close?.(timeoutMs), undefined);
    await Promise.race([closed, pause(timeoutMs + LAST_EVENTS_MS, abort.signal)]);
    abort.abort();
  }

  *#knownPeers(): Iterable<string> {
    yield this.#key.peerId;
    for (const { peerId } of this.#components.streams.peers()) yield peerId;
    const service = this.services.find("handshake");
    for (const { peerId } of service?.trustedPeers() ?? []) yield peerId;
    for (const { peerId } of service?.pendingRequests() ?? []) yield peerId;
  }
}
