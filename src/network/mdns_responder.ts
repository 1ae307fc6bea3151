import { platform } from "node:os";
import { type Clock, guard, type Random } from "../core/mod.ts";
import { formatIp, type IpAddress } from "./addresses.ts";
import { AnswerPacer } from "./mdns_answers.ts";
import { MDNS_PORT } from "./mdns_group_socket.ts";
import { announcedOn, isOwnOn, type Link } from "./mdns_links.ts";
import { encodeAnnouncement, encodeQuery, encodeServices, type MdnsQuery } from "./mdns_message.ts";
import type { MdnsSockets } from "./mdns_sockets.ts";

/** Letters of the random peer name, libp2p mDNS specification: 32 to 63. */
const PEER_NAME_LENGTH = 32;

/** What {@link MdnsResponder} uses. */
export interface MdnsResponderComponents {
  clock: Clock;
  random: Random;
  sockets: Pick<MdnsSockets, "send">;
  /** Own peer id. */
  peerId: string;
  /** Multiaddrs we listen on. */
  ownAddresses(): readonly string[];
  /** The link of a key, while it is there. */
  linkOf(key: string): Link | undefined;
}

/** Asks for peers, and answers who asks: itself too, so every question tells others about us. */
export class MdnsResponder {
  readonly #components: MdnsResponderComponents;
  readonly #answers: AnswerPacer;
  readonly #peerName: string;
  #queryId = 0;
  /** Packets sent since start. */
  queriesSent = 0;
  /** Packets sent since start. */
  answersSent = 0;

  constructor(components: MdnsResponderComponents) {
    this.#components = components;
    this.#answers = new AnswerPacer({ clock: components.clock });
    this.#peerName = randomName(components.random);
  }

  /** Asks on every link, and answers that question. */
  async ask(links: readonly Link[]): Promise<void> {
    const [high = 0, low = 0] = this.#components.random.bytes(2);
    this.#queryId = high << 8 | low;
    const query = encodeQuery(this.#queryId);
    await Promise.all(links.map(async (link) => {
      this.#answerPeers(link.key);
      if (await this.#components.sockets.send(link, query)) this.queriesSent++;
    }));
  }

  /**
   * Answers a query, at most once a second for each question and link.
   *
   * @param links Those the query may have come over.
   */
  answer(query: MdnsQuery, links: readonly Link[], source: IpAddress, port: number): void {
    const [first] = links;
    const isOwn = query.id === this.#queryId && links.some((link) => isOwnOn(link, source));
    if (isOwn || !first) return; // answered when it was sent
    if (query.asksPeers && isResolver(query, source, port)) {
      this.#answerResolver(first, query.id, { address: formatIp(source), port });
      return;
    }
    // By multicast even when asked for a unicast answer: other libp2p implementations ask from a
    // port they do not listen on, and daemons that share a machine share the port.
    for (const { key } of links) {
      if (query.asksPeers) this.#answerPeers(key);
      if (query.asksServices) this.#answerServices(key);
    }
  }

  /** Tells every link that we leave. */
  async sayGoodbye(links: readonly Link[]): Promise<void> {
    await Promise.all(links.map((link) => this.#announce(link.key, 0)));
  }

  /** Drops answers that wait, on all links or on those that are gone. */
  cancel(isKept: (linkKey: string) => boolean = () => false): void {
    this.#answers.retain((question) => isKept(linkKeyOf(question)));
  }

  #answerPeers(key: string): void {
    this.#answers.answer(questionOf(key, "peers"), () => {
      guard("announce ourselves by mDNS", () => this.#announce(key));
    });
  }

  #answerServices(key: string): void {
    this.#answers.answer(questionOf(key, "services"), () => {
      guard("tell our service by mDNS", () => this.#send(key, encodeServices()));
    });
  }

  #answerResolver(link: Link, legacyId: number, to: { address: string; port: number }): void {
    if (!this.#answers.tryAnswer(questionOf(link.key, "resolver"))) return;
    const packet = this.#announcementOn(link, { legacyId });
    guard("answer a resolver by mDNS", () => packet && this.#send(link.key, packet, to));
  }

  async #announce(key: string, ttlSeconds?: number): Promise<void> {
    const link = this.#components.linkOf(key);
    const init = ttlSeconds === undefined ? {} : { ttlSeconds };
    const packet = link && this.#announcementOn(link, init);
    if (packet) await this.#send(key, packet);
  }

  #announcementOn(
    link: Link,
    init: { ttlSeconds?: number; legacyId?: number },
  ): Uint8Array | undefined {
    const { peerId } = this.#components;
    const addresses = announcedOn(link, this.#components.ownAddresses());
    return encodeAnnouncement({ peerName: this.#peerName, peerId, addresses, ...init });
  }

  async #send(
    key: string,
    packet: Uint8Array,
    to?: { address: string; port: number },
  ): Promise<void> {
    const link = this.#components.linkOf(key);
    if (link && await this.#components.sockets.send(link, packet, to)) this.answersSent++;
  }
}

/** An ordinary resolver asked once from a port of its own, RFC 6762 section 6.7. */
function isResolver({ recursionDesired }: MdnsQuery, { family }: IpAddress, port: number): boolean {
  // Windows reports a unicast answer nobody takes as an error of the shared socket.
  return port !== MDNS_PORT && recursionDesired && family === 4 && platform() !== "win32";
}

function questionOf(linkKey: string, question: "peers" | "services" | "resolver"): string {
  return `${linkKey}\n${question}`;
}

function linkKeyOf(question: string): string {
  return question.slice(0, question.lastIndexOf("\n"));
}

function randomName(random: Random): string {
  return Array.from(random.bytes(PEER_NAME_LENGTH), (byte) => (byte % 36).toString(36)).join("");
}
