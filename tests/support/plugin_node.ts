/** Daemons' plugin side in this process: a real swarm on loopback and a host of plugins on it. */
import { generateKeyPair } from "@libp2p/crypto/keys";
import type { Ed25519PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type BusEvent, EventBus, systemClock, systemRandom } from "../../src/core/mod.ts";
import { Dialer, isLan, PeerBook, PeerStreams, Swarm } from "../../src/network/mod.ts";
import { PluginHost, type PluginHostInit } from "../../src/plugins/mod.ts";
import type { Daemon, HandshakeService } from "../../src/plugins/plugin.ts";
import { waitFor } from "./wait.ts";

/** How a node is made. */
export interface PluginNodeInit extends Partial<Omit<PluginHostInit, "identity">> {
  /** Folder that outlives the node; nothing is kept without one. */
  readonly folder?: string;
  readonly privateKey?: Ed25519PrivateKey;
  readonly settings?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** A running node. */
export class PluginNode implements AsyncDisposable {
  readonly published: BusEvent[] = [];

  private constructor(
    readonly host: PluginHost,
    readonly swarm: Swarm,
    readonly peers: PeerBook,
    readonly events: EventBus,
    readonly peerId: string,
    readonly privateKey: Ed25519PrivateKey,
    readonly stops: number[] = [],
  ) {
    events.listen((event) => this.published.push(event));
  }

  /** Starts one. */
  static async start(init: PluginNodeInit = {}): Promise<PluginNode> {
    const node = await PluginNode.create(init);
    await node.swarm.start();
    try {
      await node.host.start();
    } catch (failure) {
      await node.swarm.stop();
      throw failure;
    }
    return node;
  }

  /** Makes one that is not started. */
  static async create(init: PluginNodeInit = {}): Promise<PluginNode> {
    const privateKey = init.privateKey ?? await generateKeyPair("Ed25519");
    const peerId = peerIdFromPrivateKey(privateKey).toString();
    const events = new EventBus(() => peerId);
    const peers = new PeerBook({ events, monotonic: () => performance.now(), isLan }, {
      selfId: peerId,
    });
    const swarm: Swarm = new Swarm({
      ...{ clock: systemClock, peers, privateKey },
      onConnected: () => undefined,
      onDisconnected: () => undefined,
      onAddressesChanged: () => undefined,
      isHeld: (id) => dialer.isHeld(id),
      mayUse: (id, protocol) => host.mayUse(id, protocol),
    }, {
      listen: ["/ip4/127.0.0.1/tcp/0"],
      isListenOptional: false,
      maxConnections: 1_000,
      agentVersion: "test/0",
    });
    const dialer = new Dialer({
      ...{ clock: systemClock, random: systemRandom },
      selfId: () => peerId,
      isConnected: (id) => peers.isConnected(id),
      dial: (id, addresses, signal) => swarm.dial(id, addresses, signal),
    }, { bootstrapPeers: [] });
    const { folder } = init;
    if (folder) await writeFile(join(folder, "identity.key"), privateKey.raw, { mode: 0o600 });
    const stops: number[] = [];
    const host: PluginHost = new PluginHost({
      events,
      streams: new PeerStreams({ swarm, dialer, peers }),
      settingsOf: (plugin) => init.settings?.[plugin],
      shutDown: () => void stops.push(1),
    }, {
      identityPath: folder ? join(folder, "identity.key") : "",
      networksPath: folder ? join(folder, "networks.json") : "",
      adminToken: "right-word",
      trustAutoApprove: false,
      isPrivate: false,
      version: { version: "1", commit: "c", buildTime: "t" },
      runtime: { folder: "", isEnabled: false, list: [] },
      ...init,
      identity: { peerId, raw: privateKey.raw },
    });
    return new PluginNode(host, swarm, peers, events, peerId, privateKey, stops);
  }

  /** The daemon as a plugin of its own sees it. */
  get daemon(): Daemon {
    return this.host.surfaceOf("test");
  }

  /** The handshake service. */
  get trust(): HandshakeService {
    return this.host.services.need("handshake");
  }

  /** Connects to another node and learns its addresses. */
  async connect(other: PluginNode): Promise<void> {
    const signal = AbortSignal.timeout(5_000);
    await this.swarm.dial(other.peerId, other.swarm.listenAddresses(), signal);
    await waitFor(
      "both sides' link",
      () => this.peers.isConnected(other.peerId) && other.peers.isConnected(this.peerId),
    );
  }

  /** Topics published so far that begin so, with the peer they are about. */
  topics(prefix: string): string[] {
    return this.published.map(({ topic }) => topic).filter((topic) => topic.startsWith(prefix));
  }

  async stop(): Promise<void> {
    try {
      await this.host.stop();
    } finally {
      await this.swarm.stop();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Makes two nodes trust each other. */
export async function befriend(ada: PluginNode, bob: PluginNode): Promise<void> {
  if (!ada.peers.isConnected(bob.peerId)) await ada.connect(bob);
  await ada.trust.sendRequest(bob.peerId, "");
  await waitFor("the request", () => bob.trust.pendingCount() > 0);
  await bob.trust.approveHandshake(ada.peerId);
  if (!await ada.trust.waitForTrust(bob.peerId, 5_000)) throw new TypeError("no trust");
  await waitFor("mutual trust", () => bob.trust.trustedPeers().every(({ mutual }) => mutual));
}
