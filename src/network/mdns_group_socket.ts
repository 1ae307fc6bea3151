import { createSocket, type Socket } from "node:dgram";
import { platform } from "node:os";
import { DaemonError, guard, messageOf, withDeadline } from "../core/mod.ts";
import type { Link } from "./mdns_links.ts";
import { MAX_PACKET_BYTES } from "./mdns_message.ts";

/** RFC 6762 section 3. */
export const MDNS_PORT = 5_353;
/** RFC 6762 section 3. */
const MDNS_GROUP_IPV4 = "224.0.0.251";
/** RFC 6762 section 3. */
const MDNS_GROUP_IPV6 = "ff02::fb";
/** RFC 6762 section 11: packets leave with the largest hop count. */
const HOP_LIMIT = 255;
/** Packets that wait in one socket; a stuck one must not gather them. */
const MAX_QUEUED_SENDS = 256;
/** Longest wait for a socket to be bound, one packet to be sent, or a socket to close. */
const SOCKET_TIMEOUT_MS = 400;
/**
 * The runtime allocates this much for every packet received; its default of 64 KiB makes a flood
 * costly. One byte over the largest packet, so that larger ones are recognised.
 */
const RECEIVE_BYTES = MAX_PACKET_BYTES + 1;

/** A packet as it came in. */
export interface ReceivedPacket {
  readonly bytes: Uint8Array;
  /** IP address, without zone. */
  readonly source: string;
  readonly port: number;
  /** The links that share the socket it came in on; the source tells which of them. */
  readonly links: readonly Link[];
}

/** Where a packet goes if not to the group. */
export interface UnicastTarget {
  readonly address: string;
  readonly port: number;
}

/** What {@link GroupSocket} uses. */
export interface GroupSocketComponents {
  onPacket(packet: ReceivedPacket): void;
}

/**
 * One socket bound to a multicast group: joins its links, sends to each of them.
 *
 * Bound to the group and not to a wildcard where the system allows, so that answers other
 * programs on this machine asked for by unicast are not taken from them.
 */
export class GroupSocket {
  readonly #components: GroupSocketComponents;
  /** The links it serves; each interface at least once. */
  readonly links: readonly Link[];
  #socket: Socket | undefined;
  #sends: Promise<void> = Promise.resolve();
  #queued = 0;
  #sendsTo: Link | undefined;
  readonly #joined = new Set<string>();
  /** It failed and is closed; another one must take its place. */
  isBroken = false;

  constructor(components: GroupSocketComponents, links: readonly Link[]) {
    this.#components = components;
    this.links = links;
  }

  /** @throws {DaemonError} `unavailable` if no socket can be bound. */
  async open(): Promise<void> {
    let failure: unknown;
    for (const address of bindAddresses(this.links)) {
      try {
        this.#socket = await this.#bind(address);
        return;
      } catch (error) {
        failure = error;
      }
    }
    throw new DaemonError(
      "unavailable",
      `Cannot bind UDP port ${MDNS_PORT} for mDNS: ${messageOf(failure)}`,
      { cause: failure },
    );
  }

  async #bind(address: string): Promise<Socket> {
    const isIpv6 = this.links[0]?.family === 6;
    const socket = createSocket({
      type: isIpv6 ? "udp6" : "udp4",
      reuseAddr: true,
      ipv6Only: isIpv6,
      recvBufferSize: RECEIVE_BYTES,
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.on("error", (error) => {
      reject(error);
      this.#break(socket); // the runtime would read again at once, and fail again
    });
    socket.on("listening", resolve);
    socket.on("message", (bytes, info) => this.#receive(bytes, info));
    try {
      socket.bind({ address, port: MDNS_PORT });
      await withDeadline(promise, SOCKET_TIMEOUT_MS, `bind ${address}`);
      socket.setMulticastTTL(HOP_LIMIT);
      socket.setMulticastLoopback(true); // daemons of one machine hear each other
      this.isBroken = false;
      return socket;
    } catch (error) {
      closeQuietly(socket);
      throw error;
    }
  }

  #break(socket: Socket): void {
    this.isBroken = true;
    closeQuietly(socket);
  }

  #receive(bytes: Uint8Array, info: { address: string; port: number } | undefined): void {
    if (!info || !this.#socket) return; // the runtime reports the end of a socket as such a packet
    const [source = ""] = info.address.split("%");
    guard("read an mDNS packet", () => {
      this.#components.onPacket({ bytes, source, port: info.port, links: this.links });
    });
  }

  /**
   * Joins the group on every link. Joining again fails where the membership still stands, and
   * repairs it where the interface was taken away and came back unseen.
   *
   * @returns The links that cannot be joined, with the reason.
   */
  join(): Map<Link, unknown> {
    const failures = new Map<Link, unknown>();
    for (const link of this.links) {
      if (!this.#socket) break;
      try {
        joinGroup(this.#socket, link);
        this.#joined.add(link.interfaceName);
      } catch (error) {
        if (!this.#joined.has(link.interfaceName)) failures.set(link, error);
      }
    }
    return failures;
  }

  /** @throws if the packet cannot be sent now. */
  send(link: Link, packet: Uint8Array, to?: UnicastTarget): Promise<void> {
    if (this.#queued >= MAX_QUEUED_SENDS) {
      throw new DaemonError("resource_exhausted", "Cannot send: too many packets wait");
    }
    this.#queued++;
    // One after another: which interface a multicast takes is a state of the socket.
    const sent = this.#sends.then(() => this.#sendNow(link, packet, to));
    this.#sends = sent.catch(() => undefined).finally(() => this.#queued--);
    return sent;
  }

  async #sendNow(
    link: Link,
    packet: Uint8Array,
    to?: UnicastTarget,
  ): Promise<void> {
    const socket = this.#socket;
    if (!socket) return;
    if (this.#sendsTo !== link) {
      this.#sendsTo = undefined;
      socket.setMulticastInterface(link.family === 4 ? link.address : `::%${zoneOf(link)}`);
      this.#sendsTo = link;
    }
    const group = link.family === 4 ? MDNS_GROUP_IPV4 : MDNS_GROUP_IPV6;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.send(packet, to?.port ?? MDNS_PORT, to?.address ?? group, (error) => {
      if (error) reject(error);
      else resolve();
    });
    try {
      await withDeadline(promise, SOCKET_TIMEOUT_MS, "send an mDNS packet");
    } catch (error) {
      // Stuck: the packets behind it must not wait as long each.
      if (error instanceof DaemonError) this.#break(socket);
      throw error;
    }
  }

  /** Closes after what waits was sent. */
  async close(): Promise<void> {
    await withDeadline(this.#sends, SOCKET_TIMEOUT_MS, "send what waits").catch(() => undefined);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) closeQuietly(socket);
  }
}

function closeQuietly(socket: Socket): void {
  try {
    socket.close();
  } catch {
    // it was never bound, or the runtime closed it already
  }
}

/** Windows binds no group addresses. A group of IPv6 is bound on one interface, by its index. */
function bindAddresses([link]: readonly Link[]): string[] {
  const isWindows = platform() === "win32";
  if (link?.family !== 6) return isWindows ? ["0.0.0.0"] : [MDNS_GROUP_IPV4, "0.0.0.0"];
  const canBindGroup = !isWindows && link.scopeId > 0;
  return canBindGroup ? [`${MDNS_GROUP_IPV6}%${link.scopeId}`, "::"] : ["::"];
}

function joinGroup(socket: Socket, link: Link): void {
  if (link.family === 4) socket.addMembership(MDNS_GROUP_IPV4, link.address);
  else socket.addMembership(MDNS_GROUP_IPV6, `::%${zoneOf(link)}`);
}

/** The runtime takes the interface's index on Windows and its name elsewhere. */
function zoneOf({ interfaceName, scopeId }: Link): string {
  return platform() === "win32" ? String(scopeId) : interfaceName;
}
