import type { ConnectionGater, MultiaddrConnection } from "@libp2p/interface";
import { isIPv6, type Socket } from "node:net";

/** Connections of one peer, reliability section 2. */
export const MAX_CONNECTIONS_PER_PEER = 4;
/** Handshakes under way from one address, reliability section 2. */
export const MAX_PENDING_PER_HOST = 2;
/** The same for loopback, where several daemons share one address. */
export const MAX_PENDING_LOOPBACK = 16;
/** Handshakes under way from one subnet: /24 of IPv4, /64 of IPv6. */
export const MAX_PENDING_PER_SUBNET = 8;
/** Handshakes under way in all. */
export const MAX_PENDING = 32;
/** Of these, places that only hosts of known peers may take. */
export const RESERVED_PENDING = 4;
/** Longest handshake, in milliseconds. */
export const HANDSHAKE_TIMEOUT_MS = 3_000;
/** New connections a second from one host, in the long run. */
export const HOST_RATE = 10;
/** New connections from one host at once, before the rate holds. */
export const HOST_BURST = 40;
/** Hosts whose rate is remembered. */
const MAX_RATED_HOSTS = 4_096;

/** Counts of refused connections by reason, for status and metrics. */
export type RefusalCounts = Record<"rate" | "full" | "evicted" | "per_peer" | "held", number>;

/** What {@link Admission} uses. */
export interface AdmissionComponents {
  /** Milliseconds that never go backwards. */
  monotonic(): number;
  /** Whether an address belongs to a peer we know. */
  isKnownHost(host: string): boolean;
  /** Open connections of a peer. */
  connectionsOf(peerId: string): number;
  /** Whether an operation keeps the peer away; nobody is when absent. */
  isHeld?(peerId: string): boolean;
}

interface Pending {
  readonly socket: Socket;
  readonly host: string;
  readonly subnet: string;
  readonly isKnown: boolean;
}

/**
 * Decides who may begin a handshake. libp2p's own limits count all strangers together, so one
 * host that opens silent connections would lock everybody out; here each host, each subnet and
 * all strangers have their own share, and the slowest handshake makes room for a new one.
 */
export class Admission {
  readonly #components: AdmissionComponents;
  readonly #maxSockets: number;
  readonly #pending = new Map<Socket, Pending>();
  // Every inbound connection and the host it comes from, in order of arrival.
  readonly #sockets = new Map<Socket, string>();
  readonly #rates = new Map<string, { tokens: number; at: number }>();
  readonly refused: RefusalCounts = { rate: 0, full: 0, evicted: 0, per_peer: 0, held: 0 };

  /** @param init.maxSockets Inbound connections in all, handshakes included. */
  constructor(components: AdmissionComponents, init: { maxSockets: number }) {
    this.#components = components;
    this.#maxSockets = init.maxSockets;
  }

  /** Handshakes under way. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Inbound connections, handshakes included. */
  get socketCount(): number {
    return this.#sockets.size;
  }

  /** Whether a new socket may begin a handshake; a slower one may be ended for it. */
  acceptSocket(socket: Socket): boolean {
    const host = plainHost(socket.remoteAddress);
    if (!host) return false;
    if (!isLoopback(host) && !this.#takeToken(host)) return this.#refuse("rate");
    const isKnown = this.#components.isKnownHost(host);
    const entry = { socket, host, subnet: subnetOf(host), isKnown };
    if (!this.#makeRoom(entry)) return this.#refuse("full");
    this.#pending.set(socket, entry);
    this.#sockets.set(socket, host);
    socket.once("close", () => {
      this.#pending.delete(socket);
      this.#sockets.delete(socket);
    });
    return true;
  }

  /** The hooks libp2p calls during a handshake. */
  gater(): ConnectionGater {
    return {
      denyInboundEncryptedConnection: (peerId) => {
        // Its own dialler would bring a disconnected peer back within a second.
        if (this.#components.isHeld?.(peerId.toString())) return !this.#refuse("held");
        const isFull =
          this.#components.connectionsOf(peerId.toString()) >= MAX_CONNECTIONS_PER_PEER;
        if (isFull) this.refused.per_peer++;
        return isFull;
      },
      denyInboundUpgradedConnection: (_peerId, connection) => {
        this.#upgraded(connection);
        return false;
      },
    };
  }

  #upgraded(connection: MultiaddrConnection): void {
    const { socket } = connection as unknown as { socket?: Socket };
    if (socket) this.#pending.delete(socket);
  }

  #makeRoom(entry: Pending): boolean {
    if (this.#sockets.size >= this.#maxSockets && !this.#takeFromLargestHost(entry.host)) {
      return false;
    }
    const perHost = isLoopback(entry.host) ? MAX_PENDING_LOOPBACK : MAX_PENDING_PER_HOST;
    this.#evictOver(perHost, (other) => other.host === entry.host);
    if (!isLoopback(entry.host)) {
      this.#evictOver(MAX_PENDING_PER_SUBNET, (other) => other.subnet === entry.subnet);
    }
    if (entry.isKnown) {
      this.#evictOver(MAX_PENDING, () => true);
    } else {
      this.#evictOver(MAX_PENDING - RESERVED_PENDING, (other) => !other.isKnown);
    }
    return true;
  }

  // The map keeps the order of arrival, so the first match is the slowest.
  #evictOver(limit: number, matches: (other: Pending) => boolean): void {
    const group = [...this.#pending.values()].filter(matches);
    const slowest = group.find((other) => !other.isKnown) ?? group[0];
    if (group.length < limit || !slowest) return;
    this.refused.evicted++;
    this.#pending.delete(slowest.socket);
    slowest.socket.destroy();
  }

  // Peer ids cost nothing, so one host could fill every place with proper connections. The host
  // that has most of them gives its newest one to a host that has less.
  #takeFromLargestHost(newcomer: string): boolean {
    const counts = new Map<string, number>();
    for (const host of this.#sockets.values()) counts.set(host, (counts.get(host) ?? 0) + 1);
    const [largest, count] = [...counts].reduce((a, b) => b[1] > a[1] ? b : a, ["", 0]);
    if (count <= (counts.get(newcomer) ?? 0) + 1) return false;
    const newest = [...this.#sockets].findLast(([, host]) => host === largest)?.[0];
    if (!newest) return false;
    this.refused.evicted++;
    this.#pending.delete(newest);
    this.#sockets.delete(newest);
    newest.destroy();
    return true;
  }

  #takeToken(host: string): boolean {
    const now = this.#components.monotonic();
    const rate = this.#rates.get(host) ?? { tokens: HOST_BURST, at: now };
    const tokens = Math.min(HOST_BURST, rate.tokens + ((now - rate.at) / 1_000) * HOST_RATE);
    this.#rates.delete(host);
    this.#rates.set(host, { tokens: tokens < 1 ? tokens : tokens - 1, at: now });
    if (this.#rates.size > MAX_RATED_HOSTS) {
      const [longestUnseen] = this.#rates.keys();
      if (longestUnseen !== undefined) this.#rates.delete(longestUnseen);
    }
    return tokens >= 1;
  }

  #refuse(reason: keyof RefusalCounts): false {
    this.refused[reason]++;
    return false;
  }
}

// An IPv4 peer on a dual-stack socket shows as ::ffff:a.b.c.d.
function plainHost(address: string | undefined): string | undefined {
  return address?.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "");
}

function isLoopback(host: string): boolean {
  return host === "::1" || host.startsWith("127.");
}

function subnetOf(host: string): string {
  if (!isIPv6(host)) return host.split(".").slice(0, 3).join(".");
  const [head = "", tail = ""] = host.split("::");
  const groups = head.split(":").filter(Boolean);
  const missing = host.includes("::")
    ? 8 - groups.length - tail.split(":").filter(Boolean).length
    : 0;
  return [...groups, ...Array<string>(missing).fill("0"), ...tail.split(":")].slice(0, 4).join(":");
}
