import { networkInterfaces } from "node:os";
import {
  type Clock,
  guard,
  logger,
  messageOf,
  type Random,
  type Service,
  type Timer,
  withDeadline,
} from "../core/mod.ts";
import { formatIp, type IpAddress, parseIp } from "./addresses.ts";
import { readClaims } from "./mdns_claims.ts";
import type { ReceivedPacket } from "./mdns_group_socket.ts";
import { PacketLimiter } from "./mdns_limits.ts";
import { describeLink, type Interfaces, isSourceOf, type Link, linksOf } from "./mdns_links.ts";
import {
  decodeMessage,
  MAX_PACKET_BYTES,
  mayConcernPeers,
  type MdnsAnnouncement,
} from "./mdns_message.ts";
import { type ExpiredPeer, MdnsPeers } from "./mdns_peers.ts";
import { MdnsResponder } from "./mdns_responder.ts";
import { MdnsSockets } from "./mdns_sockets.ts";
import type { MdnsDiscovered, MdnsDropReason, MdnsStatus } from "./mdns_status.ts";

/** Between two queries, contract 1.4; as often the interfaces are read again. */
const QUERY_INTERVAL_MS = 5_000;
/** The first question after start. */
const FIRST_QUESTION_MS = 50;
/**
 * After a start or a change of interfaces, asks again so much later: a fresh IPv6 address may not
 * send for its first second, and a switch may not forward to a group at once.
 */
const REPEATS_AFTER_CHANGE_MS = [1_000, 3_000] as const;
/** Longest wait for the goodbyes to leave. */
const GOODBYE_TIMEOUT_MS = 300;

/** What {@link MdnsDiscovery} uses. */
export interface MdnsComponents {
  clock: Clock;
  random: Random;
  /** Own peer id. */
  peerId: string;
  /** Multiaddrs we listen on, without `/p2p`; `0.0.0.0` and `::` stand for every address. */
  ownAddresses(): readonly string[];
  /** Whether we ever were connected to a peer. */
  isKnown(peerId: string): boolean;
  /** Called on every valid announcement; strangers at most ten times a second (R12). */
  onDiscovered(peer: MdnsDiscovered): void;
  /** Called when a peer was silent for a minute, said goodbye, or had to make room. */
  onExpired(peer: ExpiredPeer): void;
  /** The machine's interfaces. @default {os.networkInterfaces} */
  interfaces?: () => Interfaces;
}

const log = logger("network");

/**
 * Finds peers on the local network and is found: RFC 6762 as the libp2p specification "mDNS peer
 * discovery" uses it. Whatever goes wrong with multicast is logged, never thrown.
 */
export class MdnsDiscovery implements Service {
  readonly name = "mdns";
  readonly #components: MdnsComponents;
  readonly #sockets: MdnsSockets;
  readonly #responder: MdnsResponder;
  readonly #limiter = new PacketLimiter();
  readonly #peers: MdnsPeers;
  readonly #dropped = new Map<MdnsDropReason, number>();
  readonly #timers = new Set<Timer>();
  #links = new Map<string, Link>();
  #round: Promise<void> | undefined;
  #isRunning = false;
  #isDeaf = false;
  #packetsReceived = 0;

  constructor(components: MdnsComponents) {
    this.#components = components;
    this.#sockets = new MdnsSockets({ onPacket: (packet) => this.#receive(packet) });
    this.#responder = new MdnsResponder({
      clock: components.clock,
      random: components.random,
      sockets: this.#sockets,
      peerId: components.peerId,
      ownAddresses: () => components.ownAddresses(),
      linkOf: (key) => this.#links.get(key),
    });
    this.#peers = new MdnsPeers({ isKnown: (peerId) => components.isKnown(peerId) });
  }

  /**
   * Listens, and asks and announces soon after, so that who waits for the doors does not wait for
   * that; a machine without multicast starts all the same.
   */
  async start(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const look = () => guard("look for peers by mDNS", () => this.#look());
    this.#timers.add(this.#components.clock.every(QUERY_INTERVAL_MS, look));
    await this.#look({ isFirst: true });
  }

  /** Says goodbye and closes every socket. */
  async stop(): Promise<void> {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    await this.#round;
    this.#responder.cancel();
    const goodbyes = this.#responder.sayGoodbye([...this.#links.values()]);
    await withDeadline(goodbyes, GOODBYE_TIMEOUT_MS, "say goodbye").catch(() => undefined);
    await this.#sockets.close();
    this.#links.clear();
    this.#peers.clear();
  }

  /** A snapshot for status and metrics. */
  status(): MdnsStatus {
    const { known, strangers } = this.#peers.counts;
    return {
      links: [...this.#links.values()].map((link) => ({
        interfaceName: link.interfaceName,
        family: link.family,
        address: link.address,
        works: this.#sockets.works(link),
      })),
      knownPeers: known,
      strangers,
      queriesSent: this.#responder.queriesSent,
      answersSent: this.#responder.answersSent,
      packetsReceived: this.#packetsReceived,
      sendFailures: this.#sockets.sendFailures,
      dropped: Object.fromEntries(this.#dropped),
    };
  }

  /** One round; a round that is still under way stands for the next one too. */
  #look(init: { isFirst?: boolean } = {}): Promise<void> {
    this.#round ??= this.#lookOnce(init)
      .catch((error) => log.warn("Looking for peers failed", { error: messageOf(error) }))
      .finally(() => this.#round = undefined);
    return this.#round;
  }

  async #lookOnce({ isFirst = false }: { isFirst?: boolean }): Promise<void> {
    const isChanged = this.#readInterfaces();
    await this.#sockets.update([...this.#links.values()]);
    if (isFirst) this.#askSoon([FIRST_QUESTION_MS]);
    else await this.#ask();
    if (isChanged) this.#askSoon(REPEATS_AFTER_CHANGE_MS);
    for (const peer of this.#peers.expire(this.#components.clock.monotonic())) this.#expire(peer);
  }

  async #ask(): Promise<void> {
    await this.#responder.ask([...this.#links.values()]);
    this.#tellDeafness();
  }

  /** @returns Whether there are other links than before. */
  #readInterfaces(): boolean {
    const read = this.#components.interfaces ?? networkInterfaces;
    let links: Link[];
    try {
      links = linksOf(read());
    } catch (error) {
      log.debug("Cannot read the interfaces; using those known", { error: messageOf(error) });
      return false;
    }
    const before = this.#links;
    this.#links = new Map(links.map((link) => [link.key, link]));
    const isChanged = before.size !== this.#links.size ||
      links.some(({ key }) => !before.has(key));
    if (isChanged) {
      log.debug("Links for mDNS", { links: links.map(describeLink) });
      this.#responder.cancel((key) => this.#links.has(key));
    }
    return isChanged;
  }

  #askSoon(delaysMs: readonly number[]): void {
    if (!this.#isRunning) return;
    for (const delayMs of delaysMs) {
      const timer = this.#components.clock.after(delayMs, () => {
        this.#timers.delete(timer);
        guard("ask for peers by mDNS", () => this.#ask());
      });
      this.#timers.add(timer);
    }
  }

  #receive({ bytes, source, port, links: shared }: ReceivedPacket): void {
    if (!this.#isRunning) return;
    this.#packetsReceived++;
    if (bytes.length > MAX_PACKET_BYTES) return this.#drop("too_large");
    if (!mayConcernPeers(bytes)) return;
    const ip = parseIp(source);
    const links = ip ? this.#linksFrom(ip, shared) : [];
    const [link] = links;
    if (!ip || !link) return this.#drop("off_link");
    const sender = formatIp(ip);
    const now = this.#components.clock.monotonic();
    const refusal = this.#limiter.admit(sender, link.interfaceName, now);
    if (refusal) return this.#drop(refusal);
    const message = decodeMessage(bytes);
    if (!message) return this.#drop("malformed");
    if (message.kind === "query") this.#responder.answer(message, links, ip, port);
    if (message.kind === "announcement") this.#receiveAnnouncement(message, links, ip);
  }

  #linksFrom(ip: IpAddress, shared: readonly Link[]): Link[] {
    return shared.map(({ key }) => this.#links.get(key))
      .filter((link) => link !== undefined)
      .filter((link) => isSourceOf(link, ip));
  }

  #receiveAnnouncement(message: MdnsAnnouncement, links: readonly Link[], ip: IpAddress): void {
    const isChecked = (peerId: string) =>
      peerId === this.#components.peerId || this.#peers.has(peerId);
    const claims = readClaims(message.dnsAddrs, { links, source: ip, isChecked });
    if (typeof claims === "string") return this.#drop(claims);
    const { peerId } = claims;
    if (peerId === this.#components.peerId) return;
    const source = formatIp(ip);
    if (message.ttlSeconds === 0) {
      const left = this.#peers.goodbye({ ...claims, source });
      if (left) this.#expire(left);
      return;
    }
    const now = this.#components.clock.monotonic();
    const outcome = this.#peers.announce({ ...claims, source }, now);
    if (outcome.kind === "refused") return this.#drop(outcome.reason);
    if (this.#components.isKnown(peerId)) this.#limiter.addKnownSource(source);
    if (outcome.kind === "repeated") return;
    if (outcome.evicted) this.#expire(outcome.evicted);
    log.trace("Peer announced by mDNS", { peerId, addresses: outcome.addresses });
    guard("pass on a discovered peer", () => {
      this.#components.onDiscovered({ peerId, addresses: outcome.addresses, onLink: true });
    });
  }

  #expire(peer: ExpiredPeer): void {
    log.debug("Peer left mDNS", { peerId: peer.peerId });
    guard("pass on an expired peer", () => this.#components.onExpired(peer));
  }

  #drop(reason: MdnsDropReason): void {
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + 1);
  }

  #tellDeafness(): void {
    const isDeaf = ![...this.#links.values()].some((link) => this.#sockets.works(link));
    if (isDeaf === this.#isDeaf) return;
    this.#isDeaf = isDeaf;
    if (isDeaf) {
      log.warn("Peers of the local network cannot be found: no interface takes multicast");
    } else log.info("Peers of the local network can be found again");
  }
}
