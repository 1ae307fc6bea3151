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

/** A peer: its peer id, its 32-bit number, or its address as text. */
export type PeerRef = string | number;

/** What a plugin sees of its daemon, contract 4.2. */
export interface Daemon {
  /** Resolves when the listeners are bound. */
  start(): Promise<void>;
  /** Drains and ends the daemon; safe to call again and from a signal. */
  stop(): Promise<void>;
  /** The short number of this daemon: first 4 bytes of SHA-256 of its peer id; 0 before identity. */
  nodeId(): number;
  /** The peer id; empty before identity. Trust and policy know peers by it. */
  peerId(): string;
  /** The Ed25519 key pair; null without one. */
  identity(): Identity | null;
  /** Path of the identity file; empty without one. */
  identityPath(): string;
  /** Ed25519 signature; null without an identity. */
  sign(message: Uint8Array): Uint8Array | null;
  /** Whether an Ed25519 signature is of that peer. */
  verify(peerId: string, message: Uint8Array, signature: Uint8Array): boolean;
  /** The word for privileged calls; empty when unset, and then no word is right. */
  adminToken(): string;
  /** The flag's value at start. */
  trustAutoApprove(): boolean;
  /** This daemon's 48-bit address as text, `N:NNNN.HHHH.LLLL`. */
  addr(): string;
  versionInfo(): VersionInfo;
  /** Settings of this plugin: the table of its name in config.toml. */
  config(): Readonly<Record<string, unknown>>;

  /** Opens a stream to a port of a peer. */
  dialConnection(
    peer: PeerRef,
    port: number,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<Connection>;
  /** Resolves once queued; waits under back-pressure, 30 s at most. */
  sendData(connection: Connection, data: Uint8Array): Promise<void>;
  /** Best effort, at most 64 KiB, no retry; never rejects for a peer that is not there. */
  sendDatagram(peer: PeerRef, port: number, data: Uint8Array): Promise<void>;
  /** Calls back for each datagram that arrives at the port. @returns Stops it. */
  onDatagram(port: number, handler: (datagram: Datagram) => void): () => void;
  /** Ends a connection; safe to call again. */
  closeConnection(connection: Connection): void;
  /** A connection as a pair of read and write. */
  newConnReadWriter(connection: Connection): ConnReadWriter;
  ports(): PortAllocator;
  tunnels(): TunnelRegistry;
  streams(): StreamRegistry;
  /** Peers this daemon has seen. */
  peers(): readonly PeerState[];

  /** Always null: there is no central registry. */
  registryClient(): null;
  /** Members of a network. @throws PermissionError for a wrong token. */
  regConnListNodes(network: number, token: string): Promise<NetworkNodes>;
  /** Sets this daemon's own tags in a network. */
  setMemberTags(network: number, tags: readonly string[]): Promise<void>;
  /** The networks this daemon belongs to. */
  networks(): NetworkRegistry;

  publishEvent(topic: string, payload: Readonly<Record<string, unknown>>): void;
  bus(): EventBus;
  /** Runs work nobody awaits; a failure counts as this plugin's and ends nothing. */
  background(what: string, work: () => unknown): void;

  getTrustChecker(): TrustChecker | null;
  registerTrustChecker(checker: TrustChecker): void;
  handshakeService(): HandshakeService | null;
  registerHandshakeService(service: HandshakeService): void;
  /** Empty without a handshake service. */
  trustedPeers(): readonly HandshakeTrustRecord[];
  /** @throws NoServiceError without a handshake service. */
  handshakeRevokeTrust(peer: PeerRef): Promise<void>;
  /** @throws NoServiceError without a handshake service. */
  handshakeSendRequest(peer: PeerRef, reason: string): Promise<void>;
  policyManager(): PolicyManager | null;
  registerPolicyManager(manager: PolicyManager): void;
  webhookManager(): WebhookManager | null;
  registerWebhookManager(manager: WebhookManager): void;
  /** Does nothing without a webhook manager. */
  setWebhookURL(url: string): Promise<void>;
}

/** The Ed25519 key pair of a daemon. */
export interface Identity {
  readonly peerId: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** The build a plugin is hosted by. */
export interface VersionInfo {
  readonly version: string;
  /** Empty when run from source. */
  readonly commit: string;
  /** RFC 3339, UTC; empty when run from source. */
  readonly buildTime: string;
}

/** A peer as the daemon knows it. */
export interface PeerState {
  readonly peerId: string;
  readonly nodeId: number;
  readonly isConnected: boolean;
}

/** A stream between two daemons. */
export interface Connection {
  /** A frozen snapshot. */
  info(): ConnectionInfo;
}

/** Both ends of a connection. */
export interface ConnectionInfo {
  /** `N:NNNN.HHHH.LLLL`. */
  readonly localAddr: string;
  readonly localPort: number;
  readonly remoteAddr: string;
  /** 0 where the other side dialled: the wire does not tell its number. */
  readonly remotePort: number;
  /** Peer id of the other side, proved by the encrypted link. */
  readonly remotePeer: string;
  /** IP address at the other end, as the link sees it. */
  readonly remoteHost: string;
}

/** Reads and writes one connection. */
export interface ConnReadWriter {
  /** The next bytes; null once the other side ended. */
  read(): Promise<Uint8Array | null>;
  /** Resolves once queued. */
  write(data: Uint8Array): Promise<void>;
  /** Ends the writing side; the other side reads to the end. */
  closeWrite(): Promise<void>;
  /** Ends both sides; safe to call again. */
  close(): void;
}

/** One message without a connection. */
export interface Datagram {
  readonly peerId: string;
  readonly port: number;
  readonly data: Uint8Array;
}

/** The port table. 0 to 1023 are for services that every daemon knows, 49152 to 65535 are ephemeral. */
export interface PortAllocator {
  /**
   * Takes a port.
   *
   * @param port 0 for a free ephemeral one.
   * @throws PortInUseError if it is bound.
   */
  bind(port: number): Listener;
  /** Releases a port and ends its listener; nothing happens when it is not bound. */
  unbind(port: number): void;
}

/** A bound port. */
export interface Listener {
  /** The next inbound connection; null once closed. */
  accept(): Promise<Connection | null>;
  port(): number;
  /** Releases the port; safe to call again. */
  close(): void;
}

/** All links to peers. */
export interface TunnelRegistry {
  /** Closes every connection and forgets all state of a peer; nothing happens when there is none. */
  removePeer(peer: PeerRef): Promise<void>;
  /** Lets a removed peer be dialled and come back. */
  welcomePeer(peer: PeerRef): void;
}

/** Streams of named protocols, for what is no port. */
export interface StreamRegistry {
  open(
    peer: PeerRef,
    protocol: string,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<Connection>;
  /** Calls back for each inbound stream. @returns Stops it. */
  handle(protocol: string, handler: (connection: Connection) => unknown): Promise<() => void>;
}

/** An event as subscribers see it; frozen. */
export interface Event {
  readonly topic: string;
  /** Peer id of the daemon. */
  readonly nodeId: string;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** Events of the daemon and of all plugins, contract 4.3. */
export interface EventBus {
  /** Never waits and never throws. */
  publish(topic: string, payload: Readonly<Record<string, unknown>>): void;
  /** @param pattern `*`, `prefix.*` or one topic. */
  subscribe(pattern: string, options?: { buffer?: number }): Subscription;
}

/** A running subscription. */
export interface Subscription extends AsyncIterable<Event> {
  /** Events lost because the queue was full. */
  readonly dropped: number;
  /** Ends the iterator and discards the queue; safe to call again. */
  cancel(): void;
}

/** Decides who is trusted without being asked. */
export interface TrustChecker {
  isTrusted(peer: PeerRef): { readonly name: string; readonly ok: boolean };
}

/** A peer this daemon trusts. */
export interface HandshakeTrustRecord {
  readonly nodeId: number;
  readonly peerId: string;
  /** Base64 of 32 bytes. */
  readonly publicKey: string;
  /** RFC 3339, UTC. */
  readonly approvedAt: string;
  /** Whether the peer trusts this daemon too, as far as it said. */
  readonly mutual: boolean;
  /** The network both belong to; 0 for none. */
  readonly network: number;
}

/** A peer that asks for trust. */
export interface HandshakePendingRecord {
  readonly nodeId: number;
  readonly peerId: string;
  readonly publicKey: string;
  readonly justification: string;
  /** RFC 3339, UTC. */
  readonly receivedAt: string;
}

/** Trust between peers, contract 4.4. */
export interface HandshakeService {
  isTrusted(peer: PeerRef): boolean;
  trustedPeers(): readonly HandshakeTrustRecord[];
  pendingRequests(): readonly HandshakePendingRecord[];
  pendingCount(): number;
  sendRequest(peer: PeerRef, justification: string): Promise<void>;
  approveHandshake(peer: PeerRef): Promise<void>;
  rejectHandshake(peer: PeerRef, reason: string): Promise<void>;
  /** @throws if the peer is not trusted. */
  revokeTrust(peer: PeerRef): Promise<void>;
  /** True at once for self and trusted peers, else at the transition, or false at the deadline. */
  waitForTrust(peer: PeerRef, timeoutMs: number): Promise<boolean>;
  processRelayedRequest(from: PeerRef, justification: string): Promise<void>;
  processRelayedApproval(from: PeerRef): Promise<void>;
  processRelayedRejection(from: PeerRef): Promise<void>;
  /** Waits for background calls and ends the timers. */
  stop(): Promise<void>;
  /** Peers this daemon asked and that have not answered; optional. */
  outgoingRequests?(): readonly OutgoingRequest[];
}

/** A request of this daemon that is not answered yet. */
export interface OutgoingRequest {
  readonly peerId: string;
  /** RFC 3339, UTC. */
  readonly sentAt: string;
  /** RFC 3339, UTC: when it is given up. */
  readonly until: string;
}

/** What a policy is asked about. */
export type PolicyEventType = "connect" | "dial" | "datagram" | "join" | "leave" | "cycle";

/** The policies of all networks, contract 4.5. */
export interface PolicyManager {
  /** Starts or replaces the policy of a network; a running one stays if the new does not compile. */
  start(network: number, policyJson: string): Promise<PolicyRunner>;
  stop(network: number): Promise<void>;
  get(network: number): PolicyRunner | null;
  all(): readonly PolicyRunner[];
  stopAll(): Promise<void>;
  loadPersisted(): Promise<void>;
  /** Runs a policy that denies nothing and says what it would have denied; optional. */
  startShadow?(network: number, policyJson: string): Promise<PolicyRunner>;
  stopShadow?(network: number): Promise<void>;
  /** How the verdict of each policy that concerns the peer comes about; optional. */
  explain?(question: PolicyQuestion): readonly PolicyExplanation[];
}

/** What may be explained. */
export interface PolicyQuestion {
  readonly event: PolicyEventType;
  readonly port: number;
  readonly peerId: string;
  readonly size: number;
  readonly direction: string;
}

/** How a verdict came about. */
export interface PolicyExplanation {
  readonly network: number;
  readonly isShadow: boolean;
  readonly allowed: boolean;
  /** The rule that decided; empty for the default. */
  readonly rule: string;
  /** Its expression. */
  readonly match: string;
  readonly reason: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** The running policy of one network. */
export interface PolicyRunner {
  networkID(): number;
  hasMember(peer: PeerRef): boolean;
  evaluatePortGate(
    event: PolicyEventType,
    port: number,
    peer: PeerRef,
    payloadSize: number,
    direction: string,
    localTags: readonly string[],
    nodeInfoTags: readonly string[],
  ): boolean;
  evaluateActions(event: PolicyEventType, context: Readonly<Record<string, unknown>>): void;
  status(): Readonly<Record<string, unknown>>;
  /** Oldest first. */
  peerList(): readonly Readonly<Record<string, unknown>>[];
  forceCycle(): Readonly<Record<string, unknown>>;
  reconcileNow(): void;
  policyJSON(): string;
  stop(): void;
}

/** News by HTTP, contract 4.6. */
export interface WebhookManager {
  /** Takes effect at once; empty turns it off. @throws for an address that is not allowed. */
  setURL(url: string): Promise<void>;
  stats(): WebhookStats;
  /** Where events go; empty when off; optional. */
  url?(): string;
}

/** Counters since start; zeros when off. */
export interface WebhookStats {
  readonly dropped: number;
  readonly circuitSkips: number;
}

/** A member of a network. */
export interface NetworkMember {
  readonly peerId: string;
  readonly tags: readonly string[];
}

/** What regConnListNodes gives. */
export interface NetworkNodes {
  readonly network: number;
  readonly nodes: readonly {
    readonly node_id: number;
    readonly peer_id: string;
    readonly tags: readonly string[];
  }[];
}

/** A network of trusted peers. */
export interface NetworkInfo {
  readonly id: number;
  readonly name: string;
  readonly members: readonly NetworkMember[];
}

/** The networks this daemon belongs to. */
export interface NetworkRegistry {
  list(): readonly NetworkInfo[];
  /** Tags of a member; empty for who is none. */
  tagsOf(network: number, peerId: string): readonly string[];
  isMember(network: number, peerId: string): boolean;
  addMember(network: number, peerId: string): Promise<void>;
  removeMember(network: number, peerId: string): Promise<void>;
  setTags(network: number, peerId: string, tags: readonly string[]): Promise<void>;
  /** A proof that this daemon knows a network's token, bound to the text; null for an unknown one. */
  prove(network: number, text: string): string | null;
  /** Whether a proof is right. */
  checkProof(network: number, text: string, proof: string): boolean;
}
