import { guard } from "../core/mod.ts";
import { formatAddress, nodeNumber } from "./address.ts";
import { PermissionError } from "./permission_error.ts";
import type * as Contract from "./plugin.ts";
import { isSameText } from "./signing.ts";
import type { SurfaceParts } from "./surface_parts.ts";

/** The daemon as one plugin sees it, contract 4.2; knows what to take back when the plugin ends. */
export class DaemonSurface implements Contract.Daemon {
  readonly #parts: SurfaceParts;
  readonly #plugin: string;
  readonly #leftovers = new Set<() => void>();

  constructor(parts: SurfaceParts, plugin: string) {
    this.#parts = parts;
    this.#plugin = plugin;
  }

  /** Takes back what the plugin holds: ports, subscriptions, protocols. */
  release(): void {
    for (const release of this.#leftovers) guard("take back what a plugin held", release);
    this.#leftovers.clear();
  }

  start(): Promise<void> {
    return Promise.resolve(); // plugins are loaded once the listeners are bound
  }

  stop(): Promise<void> {
    this.#parts.shutDown();
    return Promise.resolve();
  }

  nodeId(): number {
    return nodeNumber(this.peerId());
  }

  peerId(): string {
    return this.#parts.key.peerId;
  }

  identity(): Contract.Identity | null {
    const { peerId, publicKey } = this.#parts.key;
    return publicKey && Object.freeze({ peerId, publicKey: publicKey.slice() });
  }

  identityPath(): string {
    return this.#parts.identityPath;
  }

  sign(message: Uint8Array): Uint8Array | null {
    return this.#parts.key.sign(message);
  }

  verify(peerId: string, message: Uint8Array, signature: Uint8Array): boolean {
    return this.#parts.key.verify(peerId, message, signature);
  }

  adminToken(): string {
    return this.#parts.adminToken;
  }

  trustAutoApprove(): boolean {
    return this.#parts.trustAutoApprove;
  }

  addr(): string {
    return formatAddress({ network: 0, node: this.nodeId() });
  }

  versionInfo(): Contract.VersionInfo {
    const { version, commit, buildTime } = this.#parts.version;
    return { version, commit, buildTime };
  }

  config(): Readonly<Record<string, unknown>> {
    return this.#parts.settingsOf(this.#plugin);
  }

  async dialConnection(
    peer: Contract.PeerRef,
    port: number,
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<Contract.Connection> {
    return await this.#parts.ports.dial(this.#parts.names.resolve(peer), port, signal);
  }

  sendData(connection: Contract.Connection, data: Uint8Array): Promise<void> {
    return this.#parts.connections.send(connection, data);
  }

  async sendDatagram(peer: Contract.PeerRef, port: number, data: Uint8Array): Promise<void> {
    await this.#parts.datagrams.send(this.#parts.names.resolve(peer), port, data);
  }

  onDatagram(port: number, handler: (datagram: Contract.Datagram) => void): () => void {
    return this.#hold(this.#parts.datagrams.listen(port, (datagram) => {
      this.background("receive a datagram", () => handler(datagram));
    }));
  }

  closeConnection(connection: Contract.Connection): void {
    this.#parts.connections.close(connection);
  }

  newConnReadWriter(connection: Contract.Connection): Contract.ConnReadWriter {
    return this.#parts.connections.readWriter(connection);
  }

  ports(): Contract.PortAllocator {
    const { ports } = this.#parts;
    return {
      bind: (port) => {
        const listener = ports.bind(port);
        this.#hold(() => listener.close());
        return listener;
      },
      unbind: (port) => ports.unbind(port),
    };
  }

  tunnels(): Contract.TunnelRegistry {
    const { streams, names, connections } = this.#parts;
    return {
      removePeer: (peer) => {
        const peerId = names.resolve(peer);
        if (peerId === this.peerId()) return Promise.resolve();
        connections.closeAll(peerId);
        // A peer that is not there now may come back to learn that it is no longer trusted.
        if (streams.isConnected(peerId)) streams.removePeer(peerId);
        return Promise.resolve();
      },
      welcomePeer: (peer) => streams.welcomePeer(names.resolve(peer)),
    };
  }

  streams(): Contract.StreamRegistry {
    const { streams, connections, names } = this.#parts;
    const wrap = (stream: Parameters<typeof connections.add>[0]) =>
      connections.add(stream, {
        localAddr: this.addr(),
        localPort: 0,
        remoteAddr: formatAddress({ network: 0, node: nodeNumber(stream.peerId) }),
        remotePort: 0,
        remotePeer: stream.peerId,
        remoteHost: stream.host,
      });
    return {
      open: async (peer, protocol, { signal } = {}) =>
        wrap(await streams.open(names.resolve(peer), protocol, signal)),
      handle: async (protocol, handler) => {
        const stop = await streams.handle(protocol, (stream) => {
          const connection = wrap(stream);
          this.background(`serve ${protocol}`, async () => {
            try {
              await handler(connection);
            } catch (failure) {
              connections.close(connection); // nobody else would
              throw failure;
            }
          });
        });
        return this.#hold(() => guard(`end ${protocol}`, stop));
      },
    };
  }

  peers(): readonly Contract.PeerState[] {
    return this.#parts.streams.peers().map(({ peerId, isConnected }) =>
      Object.freeze({ peerId, nodeId: nodeNumber(peerId), isConnected })
    );
  }

  registryClient(): null {
    return null;
  }

  regConnListNodes(network: number, token: string): Promise<Contract.NetworkNodes> {
    if (!isSameText(token, this.adminToken())) {
      return Promise.reject(new PermissionError(`list the nodes of network ${network}`));
    }
    const found = this.#parts.networks.list().find(({ id }) => id === network);
    const nodes = (found?.members ?? []).map(({ peerId, tags }) => ({
      node_id: nodeNumber(peerId),
      peer_id: peerId,
      tags,
    }));
    return Promise.resolve({ network, nodes });
  }

  setMemberTags(network: number, tags: readonly string[]): Promise<void> {
    return this.#parts.networks.setTags(network, this.peerId(), tags);
  }

  networks(): Contract.NetworkRegistry {
    return this.#parts.networks;
  }

  publishEvent(topic: string, payload: Readonly<Record<string, unknown>>): void {
    this.#parts.events.publishOpen(topic, payload);
  }

  bus(): Contract.EventBus {
    return {
      publish: (topic, payload) => this.publishEvent(topic, payload),
      subscribe: (pattern, options) => {
        const subscription = this.#parts.events.subscribe(pattern, options);
        this.#hold(() => subscription.cancel());
        return subscription;
      },
    };
  }

  background(what: string, work: () => unknown): void {
    this.#parts.health.run<unknown>(this.#plugin, what, work, undefined);
  }

  getTrustChecker(): Contract.TrustChecker | null {
    return this.#parts.services.find("trust checker");
  }

  registerTrustChecker(checker: Contract.TrustChecker): void {
    const nobody = { name: "", ok: false };
    this.#parts.services.register("trust checker", {
      isTrusted: (peer) =>
        this.#parts.health.run(this.#plugin, "isTrusted", () => checker.isTrusted(peer), nobody),
    }, this.#plugin);
  }

  handshakeService(): Contract.HandshakeService | null {
    return this.#parts.services.find("handshake");
  }

  registerHandshakeService(service: Contract.HandshakeService): void {
    this.#parts.services.register("handshake", service, this.#plugin);
  }

  trustedPeers(): readonly Contract.HandshakeTrustRecord[] {
    return this.handshakeService()?.trustedPeers() ?? [];
  }

  async handshakeRevokeTrust(peer: Contract.PeerRef): Promise<void> {
    await this.#parts.services.need("handshake").revokeTrust(peer);
  }

  async handshakeSendRequest(peer: Contract.PeerRef, reason: string): Promise<void> {
    await this.#parts.services.need("handshake").sendRequest(peer, reason);
  }

  policyManager(): Contract.PolicyManager | null {
    return this.#parts.services.find("policy");
  }

  registerPolicyManager(manager: Contract.PolicyManager): void {
    this.#parts.services.register("policy", manager, this.#plugin);
  }

  webhookManager(): Contract.WebhookManager | null {
    return this.#parts.services.find("webhook");
  }

  registerWebhookManager(manager: Contract.WebhookManager): void {
    this.#parts.services.register("webhook", manager, this.#plugin);
  }

  async setWebhookURL(url: string): Promise<void> {
    await this.webhookManager()?.setURL(url);
  }

  #hold(release: () => void): () => void {
    const once = () => {
      if (this.#leftovers.delete(once)) release();
    };
    this.#leftovers.add(once);
    return once;
  }
}
