import type { EventBus } from "../core/mod.ts";

/** Where a peer is, by its own word or by the country table. */
export interface PeerGeo {
  readonly ip: string;
  readonly city: string;
  readonly region: string;
  readonly countryCode: string;
  readonly countryName: string;
  readonly timezone: string;
  readonly latitude: number;
  readonly longitude: number;
}

/** One peer, as readers see it. */
export interface PeerSnapshot {
  readonly peerId: string;
  /** Multiaddrs without the trailing `/p2p/<peer id>`. */
  readonly addresses: readonly string[];
  /** Seen on the local network. */
  readonly isInternal: boolean;
  readonly isConnected: boolean;
  /** This daemon itself. */
  readonly isSelf: boolean;
  /** Every connection to it goes over a relay. */
  readonly isRelayed?: true;
  readonly geo?: PeerGeo;
}

/** Addresses kept of one peer, contract 1.5. */
export const MAX_ADDRESSES_PER_PEER = 32;
/** Peers kept, contract 1.5; the longest disconnected one makes room. */
export const MAX_PEERS = 4_096;

interface Entry {
  readonly peerId: string;
  readonly isSelf: boolean;
  /** Address to whether mDNS alone told it. */
  readonly addresses: Map<string, { fromMdns: boolean }>;
  isInternal: boolean;
  /** mDNS hears the peer: a proof that it is on the local network. */
  isAnnounced: boolean;
  openConnections: number;
  /** Of them, those over a relay. */
  relayedConnections: number;
  hasConnected: boolean;
  disconnectedSince: number;
  geo: PeerGeo | undefined;
}

/** What {@link PeerBook} uses. */
export interface PeerBookComponents {
  events: Pick<EventBus, "publish">;
  /** Milliseconds that never go backwards. */
  monotonic(): number;
  /** Whether a multiaddr is on the local network, contract 1.4. */
  isLan(address: string): boolean;
}

/**
 * What we know of every peer, changed by the events of contract 1.5 and by nothing else.
 * Every method is synchronous, so a reader always sees one consistent state.
 */
export class PeerBook {
  readonly #components: PeerBookComponents;
  readonly #entries = new Map<string, Entry>();
  readonly #hosts = new Set<string>();
  readonly #selfId: string;
  // By filter, as long as nothing changes: with 1,000 peers a list takes longer than anything else.
  readonly #lists = new Map<boolean | undefined, readonly PeerSnapshot[]>();
  #dropped = 0;

  /** @param selfId Peer id of this daemon; its entry appears with its first address. */
  constructor(components: PeerBookComponents, init: { selfId: string }) {
    this.#components = components;
    this.#selfId = init.selfId;
  }

  /** Entries dropped because the book was full. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Peers in the book, this daemon included. */
  get size(): number {
    return this.#entries.size;
  }

  /** Peers with an open connection. */
  get connectedCount(): number {
    let count = 0;
    for (const entry of this.#entries.values()) if (entry.openConnections > 0) count++;
    return count;
  }

  /** The swarm listens on exactly these addresses now (NewListenAddr, ExpiredListenAddr). */
  setOwnAddresses(addresses: readonly string[]): void {
    const self = this.#entries.get(this.#selfId) ?? this.#create(this.#selfId, true);
    this.#lists.clear();
    self.addresses.clear();
    for (const address of addresses) addAddress(self, address, false);
  }

  /** A connection opened. */
  connectionOpened(peerId: string, remote: string): void {
    if (peerId === this.#selfId) return;
    const entry = this.#entries.get(peerId) ?? this.#create(peerId, false);
    this.#lists.clear();
    addAddress(entry, remote, false);
    this.#rememberHost(remote);
    const isProven = entry.isAnnounced || (entry.openConnections > 0 && entry.isInternal);
    entry.isInternal = isProven || this.#components.isLan(remote);
    entry.openConnections++;
    if (isRelayed(remote)) entry.relayedConnections++;
    entry.hasConnected = true;
    if (entry.openConnections === 1) this.#components.events.publish("peer.connected", { peerId });
  }

  /** A connection closed. */
  connectionClosed(peerId: string, remote = ""): void {
    const entry = this.#entries.get(peerId);
    if (!entry || entry.isSelf || entry.openConnections === 0) return;
    this.#lists.clear();
    entry.openConnections--;
    if (isRelayed(remote)) entry.relayedConnections--;
    if (entry.openConnections > 0) return;
    entry.disconnectedSince = this.#components.monotonic();
    this.#components.events.publish("peer.disconnected", { peerId });
  }

  /** mDNS heard the peer announce itself. */
  mdnsDiscovered(peerId: string, addresses: readonly string[]): void {
    if (peerId === this.#selfId) return;
    const entry = this.#entries.get(peerId) ?? this.#create(peerId, false);
    const isNews = addresses.map((address) => addAddress(entry, address, true)).includes(true);
    if (isNews || !entry.isInternal) this.#lists.clear();
    entry.isInternal = true;
    entry.isAnnounced = true;
  }

  /** mDNS heard nothing of the peer for a minute: what it taught us is dropped. */
  mdnsExpired(peerId: string): void {
    const entry = this.#entries.get(peerId);
    if (!entry || entry.isSelf) return;
    this.#lists.clear();
    entry.isAnnounced = false;
    for (const [address, { fromMdns }] of entry.addresses) {
      if (fromMdns) entry.addresses.delete(address);
    }
  }

  /** The peer told where it is, or its country is known from its address. */
  geoReceived(peerId: string, geo: PeerGeo): void {
    const entry = this.#entries.get(peerId);
    if (!entry) return;
    this.#lists.clear();
    entry.geo = geo;
  }

  /** Whether the peer is in the book and has an open connection. */
  isConnected(peerId: string): boolean {
    return (this.#entries.get(peerId)?.openConnections ?? 0) > 0;
  }

  /** Whether a peer has been connected from or at this IP address. */
  knowsHost(host: string): boolean {
    return this.#hosts.has(host);
  }

  /** Whether the peer is connected or was before. */
  hasConnected(peerId: string): boolean {
    return this.#entries.get(peerId)?.hasConnected ?? false;
  }

  /** One peer. */
  get(peerId: string): PeerSnapshot | undefined {
    const entry = this.#entries.get(peerId);
    return entry && snapshot(entry);
  }

  /**
   * Everybody: this daemon first, then connected peers, then by peer id (contract 1.1). The same
   * list as before if nothing has changed.
   */
  list(filter: { connected?: boolean | undefined } = {}): readonly PeerSnapshot[] {
    const known = this.#lists.get(filter.connected);
    if (known) return known;
    const list = Object.freeze(
      [...this.#entries.values()]
        .map(snapshot)
        .filter((peer) => filter.connected === undefined || peer.isConnected === filter.connected)
        .sort(inOrder),
    );
    this.#lists.set(filter.connected, list);
    return list;
  }

  #create(peerId: string, isSelf: boolean): Entry {
    if (this.#entries.size >= MAX_PEERS) this.#dropOldest();
    const entry: Entry = {
      peerId,
      isSelf,
      addresses: new Map(),
      isInternal: isSelf,
      isAnnounced: false,
      openConnections: 0,
      relayedConnections: 0,
      hasConnected: false,
      disconnectedSince: this.#components.monotonic(),
      geo: undefined,
    };
    this.#entries.set(peerId, entry);
    this.#lists.clear();
    if (!isSelf) this.#components.events.publish("peer.discovered", { peerId });
    return entry;
  }

  #rememberHost(remote: string): void {
    const [, , host] = remote.split("/");
    if (!host || isRelayed(remote)) return; // the host is the relay's
    this.#hosts.delete(host);
    this.#hosts.add(host);
    if (this.#hosts.size <= MAX_PEERS) return;
    const [longestUnseen] = this.#hosts;
    if (longestUnseen) this.#hosts.delete(longestUnseen);
  }

  #dropOldest(): void {
    let oldest: Entry | undefined;
    for (const entry of this.#entries.values()) {
      if (entry.isSelf || entry.openConnections > 0) continue;
      if (!oldest || entry.disconnectedSince < oldest.disconnectedSince) oldest = entry;
    }
    if (!oldest) return;
    this.#entries.delete(oldest.peerId);
    this.#lists.clear();
    this.#dropped++;
  }
}

// Whether the address is a new one.
function addAddress(entry: Entry, address: string, fromMdns: boolean): boolean {
  const plain = address.replace(/\/p2p\/[^/]+$/, "");
  const known = entry.addresses.get(plain);
  if (known) {
    known.fromMdns &&= fromMdns; // a connection proves an address better
    return false;
  }
  if (entry.addresses.size >= MAX_ADDRESSES_PER_PEER) {
    const [oldest] = entry.addresses.keys();
    if (oldest !== undefined) entry.addresses.delete(oldest);
  }
  entry.addresses.set(plain, { fromMdns });
  return true;
}

function isRelayed(remote: string): boolean {
  return remote.includes("/p2p-circuit");
}

function inOrder(a: PeerSnapshot, b: PeerSnapshot): number {
  return Number(b.isSelf) - Number(a.isSelf) ||
    Number(b.isConnected) - Number(a.isConnected) ||
    (a.peerId < b.peerId ? -1 : 1);
}

function snapshot(entry: Entry): PeerSnapshot {
  return Object.freeze({
    peerId: entry.peerId,
    addresses: Object.freeze([...entry.addresses.keys()]),
    isInternal: entry.isInternal,
    isConnected: entry.isSelf || entry.openConnections > 0,
    isSelf: entry.isSelf,
    ...(entry.openConnections > 0 && entry.relayedConnections === entry.openConnections
      ? { isRelayed: true }
      : {}),
    ...(entry.geo ? { geo: entry.geo } : {}),
  });
}
