/** The daemon as plugins see it, contract 4.2. */
import type { EventBus } from "./events.ts";
import type {
  Connection,
  ConnReadWriter,
  Datagram,
  PortAllocator,
  StreamRegistry,
  TunnelRegistry,
} from "./links.ts";
import type { NetworkNodes, NetworkRegistry } from "./networks.ts";
import type { Identity, PeerRef, PeerState, VersionInfo } from "./peers.ts";
import type { PolicyManager } from "./policy.ts";
import type { HandshakeService, HandshakeTrustRecord, TrustChecker } from "./trust.ts";
import type { WebhookManager } from "./webhook.ts";

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
