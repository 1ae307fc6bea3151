import { yamux } from "@chainsafe/libp2p-yamux";
import { identify } from "@libp2p/identify";
import { type Connection, FaultTolerance, type Libp2p, type PrivateKey } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { type Ping, ping } from "@libp2p/ping";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p, type Libp2pInit } from "libp2p";
import type { Server } from "node:net";
import { DaemonError, guard, logger, LoopTurns } from "../core/mod.ts";
import type { Clock, Service, Timer } from "../core/mod.ts";
import { Admission, HANDSHAKE_TIMEOUT_MS, MAX_CONNECTIONS_PER_PEER } from "./admission.ts";
import { endpointsOf, listenProblem, usableAddresses, withoutPeerId } from "./listen_addresses.ts";
import { monitorInit, muxerInit, type SwarmExtras } from "./swarm_extras.ts";
import { confirmListenAddresses } from "./own_addresses.ts";
import type { PeerBook } from "./peer_book.ts";
import { gateProtocols } from "./protocol_gate.ts";
import { collectOwnProtocols } from "./own_entry.ts";
import { endSilentLinks } from "./presence.ts";
import { rememberProtocols } from "./protocol_memory.ts";
import { quietLog } from "./quiet_log.ts";
import { secureChannel } from "./secure_channel.ts";
import { forgetStrangers } from "./strangers.ts";
import { guardedTcp, reopenServer } from "./tcp_transport.ts";

/** A connection without a byte in either direction for so long is closed, contract 1.4. */
export const IDLE_TIMEOUT_MS = 60_000;
/** Between two pings of a connection, contract 1.4. */
export const PING_INTERVAL_MS = 15_000;
/** Longest wait for the answer to a ping that decides about a peer's presence, contract 1.5. */
export const PRESENCE_PING_MS = 3_000;
/** Connections that admission has ended and libp2p still counts: it would close a newcomer for them. */
const EVICTION_SLACK = 8;
/** How often the machine's addresses are read again. */
export const ADDRESS_REFRESH_MS = 5_000;
/** How often libp2p's memory of peers that left is emptied. */
export const FORGET_INTERVAL_MS = 60_000;

/** What {@link Swarm} uses. */
export interface SwarmComponents {
  clock: Clock;
  peers: PeerBook;
  privateKey: PrivateKey;
  /** libp2p's own metrics; left out when nobody reads them. */
  metrics?: NonNullable<Libp2pInit["metrics"]>;
  /** Told when the first connection to a peer opened. */
  onConnected(peerId: string): void;
  /** Told when the last connection to a peer closed. */
  onDisconnected(peerId: string): void;
  /** Told when the machine's addresses changed. */
  onAddressesChanged(): void;
  /** Whether an operation keeps the peer away; nobody is when absent. */
  isHeld?(peerId: string): boolean;
  /** Whether a peer may use a protocol of ours; everybody may when absent. */
  mayUse?(peerId: string, protocol: string): boolean;
}

/** How {@link Swarm} behaves. */
export interface SwarmInit {
  /** Multiaddrs to listen on. */
  listen: readonly string[];
  /** Whether a listen address that cannot be had is passed over; true for the defaults. */
  isListenOptional: boolean;
  maxConnections: number;
  /** What identify tells other peers, such as `almenad/2026.1.1`. */
  agentVersion: string;
  /** Made when it starts. */
  extras?: () => Promise<SwarmExtras>;
}

const log = logger("network");

/** The libp2p node: TCP, Noise, Yamux, identify and ping; tells the peer book what happens. */
export class Swarm implements Service {
  readonly name = "swarm";
  readonly admission: Admission;
  readonly #components: SwarmComponents;
  readonly #init: SwarmInit;
  #node: Libp2p<{ ping: Ping }> | undefined;
  #timers: Timer[] = [];
  #ownAddresses = "";
  #extras: SwarmExtras = {};
  // Connections between which libp2p has told us "open" and "close".
  readonly #open = new Set<string>();
  readonly #servers = new Set<Server>();
  #turns = new LoopTurns();

  constructor(components: SwarmComponents, init: SwarmInit) {
    this.#components = components;
    this.#init = init;
    this.admission = new Admission({
      monotonic: () => components.clock.monotonic(),
      isKnownHost: (host) => components.peers.knowsHost(host),
      connectionsOf: (peerId) => this.#connectionsOf(peerId).length,
      isHeld: (peerId) => components.isHeld?.(peerId) ?? false,
    }, { maxSockets: init.maxConnections });
  }

  /**
   * @throws {DaemonError} `unavailable` if no listen address can be had, or one that was asked for
   *   by name.
   */
  async start(): Promise<void> {
    const listen = usableAddresses(this.#init.listen, this.#init.isListenOptional);
    this.#extras = await this.#init.extras?.() ?? {};
    try {
      this.#node = await this.#createNode(listen);
      gateProtocols(this.#node, this.#components.mayUse);
      rememberProtocols(this.#node);
      collectOwnProtocols(this.#node, this.#components.clock);
      this.#watch(this.#node);
      await this.#node.start();
    } catch (cause) {
      await this.stop();
      const where = listen.join(", ");
      const remedy = "give other addresses with --p2p-listen";
      throw new DaemonError(
        "unavailable",
        `Cannot listen on ${where}: ${listenProblem(cause)}; ${remedy}`,
        { cause },
      );
    }
    this.#refreshOwnAddresses();
    const { clock } = this.#components;
    this.#timers = [
      clock.every(
        ADDRESS_REFRESH_MS,
        () => guard("read the machine's addresses", () => this.#refreshOwnAddresses()),
      ),
      clock.every(
        FORGET_INTERVAL_MS,
        () => guard("forget peers", () => forgetStrangers(this.#node, this.#extras.keptPeers)),
      ),
    ];
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) timer.cancel();
    const node = this.#node;
    this.#node = undefined;
    this.#servers.clear();
    await node?.stop();
    await this.#turns.close();
  }

  /** The libp2p node underneath. @throws {DaemonError} `unavailable` before start and after stop. */
  get node(): Libp2p<{ ping: Ping }> {
    if (this.#node) return this.#node;
    throw new DaemonError("unavailable", "Cannot use the swarm: it is not running");
  }

  /** Own multiaddrs, without `/p2p/<peer id>`. */
  listenAddresses(): string[] {
    return this.#node?.getMultiaddrs().map(withoutPeerId) ?? [];
  }

  /** Where the TCP listeners can be reached on this machine, one address each. */
  listenEndpoints(): { host: string; port: number }[] {
    return endpointsOf(this.#servers);
  }

  /** Every listener listens anew at its address, for one that went deaf; connections stay. */
  async reopen(): Promise<void> {
    for (const server of this.#servers) await reopenServer(server);
  }

  /**
   * Connects to a peer on any of its addresses.
   *
   * @param addresses Multiaddrs with or without `/p2p/<peer id>`; none stands for those in the book.
   */
  async dial(peerId: string, addresses: readonly string[], signal: AbortSignal): Promise<void> {
    const suffix = `/p2p/${peerId}`;
    const known = addresses.length > 0 ? addresses : this.#components.peers.get(peerId)?.addresses;
    const targets = known?.map((address) =>
      multiaddr(address.endsWith(suffix) ? address : `${address}${suffix}`)
    );
    await this.node.dial(targets?.length ? targets : peerIdFromString(peerId), { signal });
  }

  /**
   * Connects to an address whose peer need not be known.
   *
   * @returns The peer that answered.
   */
  async dialAddress(address: string, signal: AbortSignal): Promise<string> {
    const connection = await this.node.dial(multiaddr(address), { signal });
    return connection.remotePeer.toString();
  }

  /** Closes every connection to a peer, at once where it does not answer in time. */
  async disconnect(peerId: string, signal: AbortSignal): Promise<void> {
    await Promise.all(
      this.#connectionsOf(peerId).map(async (connection) => {
        await connection.close({ signal }).catch((error) => connection.abort(error));
      }),
    );
  }

  /** Round-trip time to a peer in milliseconds. @throws if it does not answer. */
  async ping(peerId: string, signal: AbortSignal): Promise<number> {
    const ms = await this.node.services.ping.ping(peerIdFromString(peerId), { signal });
    const [only, ...others] = this.#connectionsOf(peerId);
    if (only && others.length === 0) only.rtt = ms; // libp2p would measure it in its own time
    return ms;
  }

  /**
   * Finds out whether a connected peer is still there: one that does not answer a ping is
   * disconnected, contract 1.5. A link on which much arrives meanwhile is busy, not dead.
   */
  async checkPresence(peerId: string): Promise<void> {
    if (!this.#components.peers.isConnected(peerId)) return;
    const asked = this.#connectionsOf(peerId); // not those of a restarted peer, opened meanwhile
    const ask = () => this.ping(peerId, AbortSignal.timeout(PRESENCE_PING_MS));
    const error = await endSilentLinks(asked, ask);
    if (error) log.debug("Silent peer is disconnected", { peerId, error });
  }

  #connectionsOf(peerId: string): Connection[] {
    return [...this.#node?.getConnections(peerIdFromString(peerId)) ?? []];
  }

  #createNode(listen: string[]): Promise<Libp2p<{ ping: Ping }>> {
    const { metrics } = this.#components;
    const { announce = [], datastore, dialFrom, gater, maxStreams, services, transports = [] } =
      this.#extras;
    this.#turns = new LoopTurns();
    return createLibp2p({
      start: false,
      privateKey: this.#components.privateKey,
      addresses: { listen, ...announce.length > 0 ? { announce: [...announce] } : {} },
      nodeInfo: { userAgent: this.#init.agentVersion },
      transports: [
        guardedTcp({
          acceptSocket: (socket) => this.admission.acceptSocket(socket),
          onServer: (server) => this.#servers.add(server),
          turns: this.#turns,
          ...dialFrom ? { dialFrom } : {},
          inboundSocketInactivityTimeout: IDLE_TIMEOUT_MS,
          outboundSocketInactivityTimeout: IDLE_TIMEOUT_MS,
        }),
        ...transports,
      ],
      ...{ connectionEncrypters: [secureChannel()], ...quietLog() },
      streamMuxers: [yamux(muxerInit(maxStreams))],
      connectionGater: { ...gater, ...this.admission.gater(), denyDialMultiaddr: () => false },
      connectionManager: {
        maxConnections: this.#init.maxConnections + EVICTION_SLACK,
        inboundUpgradeTimeout: HANDSHAKE_TIMEOUT_MS,
        // Admission decides about strangers; libp2p's own counts lump them all together.
        maxIncomingPendingConnections: Number.MAX_SAFE_INTEGER,
        inboundConnectionThreshold: Number.MAX_SAFE_INTEGER,
        reconnectRetries: 0,
      },
      connectionMonitor: monitorInit(PING_INTERVAL_MS),
      transportManager: { faultTolerance: FaultTolerance.FATAL_ALL },
      services: { ...services, identify: identify(), ping: ping() },
      ...{ ...(datastore ? { datastore } : {}), ...(metrics ? { metrics } : {}) },
    });
  }

  #watch(node: Libp2p): void {
    const { peers } = this.#components;
    node.addEventListener("connection:open", ({ detail }) => {
      const peerId = detail.remotePeer.toString();
      const wasConnected = peers.isConnected(peerId);
      this.#open.add(detail.id);
      peers.connectionOpened(peerId, withoutPeerId(detail.remoteAddr));
      if (!wasConnected) this.#components.onConnected(peerId);
      guard("bound a peer's connections", () => this.#closeSurplus(peerId));
    });
    node.addEventListener("connection:close", ({ detail }) => {
      const peerId = detail.remotePeer.toString();
      if (!this.#open.delete(detail.id)) return;
      peers.connectionClosed(peerId, withoutPeerId(detail.remoteAddr));
      if (!peers.isConnected(peerId)) this.#components.onDisconnected(peerId);
    });
    node.addEventListener("self:peer:update", () => this.#refreshOwnAddresses());
  }

  async #closeSurplus(peerId: string): Promise<void> {
    const surplus = this.#connectionsOf(peerId).slice(MAX_CONNECTIONS_PER_PEER);
    await Promise.all(surplus.map((connection) => connection.close()));
  }

  #refreshOwnAddresses(): void {
    if (!this.#node) return;
    confirmListenAddresses(this.#node);
    const addresses = this.listenAddresses();
    const summary = addresses.join();
    if (summary === this.#ownAddresses) return;
    const isFirst = this.#ownAddresses === "";
    this.#ownAddresses = summary;
    this.#components.peers.setOwnAddresses(addresses);
    if (!isFirst) this.#components.onAddressesChanged();
  }
}
