/** The UDP sockets of mDNS: one for all of IPv4, for IPv6 one an interface. */
import { logger, messageOf, systemCode } from "../core/mod.ts";
import {
  GroupSocket,
  type GroupSocketComponents,
  type UnicastTarget,
} from "./mdns_group_socket.ts";
import { describeLink, type Link } from "./mdns_links.ts";

/** What can go wrong on a link. */
type Trouble = "bind" | "join" | "send";

const log = logger("network");

/** All sockets, kept in step with the machine's links. Never throws: troubles are logged once. */
export class MdnsSockets {
  readonly #components: GroupSocketComponents;
  /** By what shares a socket: "4", or the key of an IPv6 link. */
  readonly #sockets = new Map<string, GroupSocket>();
  /** By key of the link: what does not work there, so that each trouble is logged once. */
  readonly #troubles = new Map<string, Set<Trouble>>();
  /** Packets that could not be sent. */
  sendFailures = 0;

  constructor(components: GroupSocketComponents) {
    this.#components = components;
  }

  /** Opens, closes and joins until the sockets serve exactly these links. */
  async update(links: readonly Link[]): Promise<void> {
    const wanted = groupBySocket(links);
    for (const key of this.#troubles.keys()) {
      if (!links.some((link) => link.key === key)) this.#troubles.delete(key);
    }
    await Promise.all([...wanted].map(([name, group]) => this.#updateOne(name, group)));
    const gone = [...this.#sockets.keys()].filter((name) => !wanted.has(name));
    await Promise.all(gone.map((name) => this.#close(name)));
  }

  async #updateOne(name: string, links: readonly Link[]): Promise<void> {
    const current = this.#sockets.get(name);
    if (current && !current.isBroken && keysOf(current.links) === keysOf(links)) {
      this.#reportJoin(current);
      return;
    }
    const socket = new GroupSocket(this.#components, links);
    try {
      await socket.open();
    } catch (error) {
      for (const link of links) this.#report(link, "bind", error);
      if (current?.isBroken) await this.#close(name);
      return;
    }
    for (const link of links) this.#clear(link, "bind");
    this.#reportJoin(socket);
    this.#sockets.set(name, socket);
    await current?.close();
  }

  /** Sends one packet over a link, to the group unless told otherwise. */
  async send(
    link: Link,
    packet: Uint8Array,
    to?: UnicastTarget,
  ): Promise<boolean> {
    const socket = this.#sockets.get(socketNameOf(link));
    try {
      if (!socket) return false;
      await socket.send(link, packet, to);
      if (!to) this.#clear(link, "send");
      return true;
    } catch (error) {
      this.sendFailures++;
      if (!to) this.#report(link, "send", error);
      return false;
    }
  }

  /** Whether packets can be sent over a link, as far as we know. */
  works(link: Link): boolean {
    return this.#sockets.has(socketNameOf(link)) && !this.#troubles.has(link.key);
  }

  /** Closes every socket after what waits was sent. */
  async close(): Promise<void> {
    await Promise.all([...this.#sockets.keys()].map((name) => this.#close(name)));
  }

  async #close(name: string): Promise<void> {
    const socket = this.#sockets.get(name);
    this.#sockets.delete(name);
    await socket?.close();
  }

  #reportJoin(socket: GroupSocket): void {
    const failures = socket.join();
    for (const link of socket.links) {
      if (failures.has(link)) this.#report(link, "join", failures.get(link));
      else this.#clear(link, "join");
    }
  }

  #report(link: Link, trouble: Trouble, error: unknown): void {
    const known = this.#troubles.get(link.key) ?? new Set();
    this.#troubles.set(link.key, known);
    if (known.has(trouble)) return;
    known.add(trouble);
    log.info("mDNS does not work on this link; trying again every few seconds", {
      link: describeLink(link),
      trouble,
      code: systemCode(error),
      error: messageOf(error),
    });
  }

  #clear(link: Link, trouble: Trouble): void {
    const known = this.#troubles.get(link.key);
    if (!known?.delete(trouble) || known.size > 0) return;
    this.#troubles.delete(link.key);
    log.info("mDNS works on this link again", { link: describeLink(link) });
  }
}

function socketNameOf(link: Link): string {
  return link.family === 4 ? "4" : link.key;
}

function groupBySocket(links: readonly Link[]): Map<string, readonly Link[]> {
  return Map.groupBy(links, socketNameOf);
}

function keysOf(links: readonly Link[]): string {
  return links.map(({ key }) => key).join("\n");
}
