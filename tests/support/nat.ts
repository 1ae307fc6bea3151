/**
 * A small internet for tests: public hosts on one wire, and homes behind routers that masquerade, as the ones people
 * have: what is not an answer to something from inside is dropped.
 *
 * ```ts
 * await using internet = await Internet.create({ hosts: ["relay"], homes: ["alice", "bob"] });
 * await P2pd.start("almenad", { netns: internet.namespace("alice"), … });
 * ```
 *
 * Addresses look public, since hole punching and reachability checks pass over private ones; nothing leaves the
 * namespaces. Needs root, `ip` and `nft` (Debian: iproute2, nftables).
 */
import process from "node:process";
import { DaemonError } from "../../src/core/mod.ts";
import { linuxRoot, type Need, program } from "./needs.ts";
import { type CommandResult, execute } from "./netns.ts";

/** What is on it. */
export interface InternetInit {
  /** Names of hosts with a public address, up to 6 letters each. */
  readonly hosts: readonly string[];
  /** Names of hosts with a router of their own in front. */
  readonly homes?: readonly string[];
}

interface Place {
  readonly namespace: string;
  readonly address: string;
  /** Of its router; undefined for a public host. */
  readonly router?: { readonly namespace: string; readonly address: string };
}

let internets = 0;

/** What tests on it need. */
export function natNeeds(): Need[] {
  return [linuxRoot(), program("nft"), program("ip")];
}

/** The network. Dispose of it, also after a failure: `await using`. */
export class Internet implements AsyncDisposable {
  readonly #prefix = `alm${process.pid}-i${internets++}`;
  readonly #places = new Map<string, Place>();
  readonly #namespaces: string[] = [];
  #wires = 0;

  private constructor() {}

  /** Makes it. */
  static async create({ hosts, homes = [] }: InternetInit): Promise<Internet> {
    const internet = new Internet();
    try {
      await internet.#addNamespace("net");
      await ip("-n", internet.#name("net"), "link", "add", "br0", "type", "bridge");
      await ip("-n", internet.#name("net"), "link", "set", "br0", "up");
      for (const host of hosts) await internet.#addHost(host);
      for (const home of homes) await internet.#addHome(home);
      return internet;
    } catch (error) {
      await internet[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** For `ip netns exec`. */
  namespace(name: string): string {
    return this.#place(name).namespace;
  }

  /** Its own address, a private one at home. */
  address(name: string): string {
    return this.#place(name).address;
  }

  /** The address that others see. */
  publicAddress(name: string): string {
    const { address, router } = this.#place(name);
    return router?.address ?? address;
  }

  /** The namespace of a home's router. */
  router(name: string): string {
    const { router } = this.#place(name);
    if (router) return router.namespace;
    throw new DaemonError("not_found", `Cannot find a router in front of ${name}`);
  }

  /** From now on a home's router gives each connection a port by chance, so nobody can guess it. */
  async scramblePorts(name: string): Promise<void> {
    const change = 'flush chain ip home nat; add rule ip home nat oifname "wan" masquerade random';
    await execute("ip", ["netns", "exec", this.router(name), "nft", change]);
  }

  /** Cuts a public host off while its interface stays up. */
  async cut(name: string): Promise<void> {
    await ip("-n", this.#name("net"), "link", "set", `to-${name}`, "nomaster");
  }

  /** Joins a host that was cut off. */
  async heal(name: string): Promise<void> {
    await ip("-n", this.#name("net"), "link", "set", `to-${name}`, "master", "br0");
  }

  /** Deletes everything; processes in it must have been ended before. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const namespace of this.#namespaces) {
      await ip("netns", "del", namespace).catch(() => undefined); // it was never made
    }
  }

  #place(name: string): Place {
    const place = this.#places.get(name);
    if (place) return place;
    throw new DaemonError("not_found", `Cannot find "${name}" on this internet`);
  }

  #name(part: string): string {
    return `${this.#prefix}-${part}`;
  }

  async #addNamespace(part: string): Promise<string> {
    const namespace = this.#name(part);
    await ip("netns", "add", namespace);
    this.#namespaces.push(namespace);
    await ip("-n", namespace, "link", "set", "lo", "up");
    return namespace;
  }

  // A subnet of its own for each: limits on strangers count by subnet.
  async #plug(namespace: string, name: string, device: string): Promise<string> {
    const address = `11.0.${++this.#wires}.1`;
    const net = this.#name("net");
    await ip(
      ...["-n", net, "link", "add", `to-${name}`, "type", "veth"],
      ...["peer", "name", device, "netns", namespace],
    );
    await ip("-n", net, "link", "set", `to-${name}`, "master", "br0", "up");
    await ip("-n", namespace, "addr", "add", `${address}/16`, "dev", device);
    await ip("-n", namespace, "link", "set", device, "up");
    return address;
  }

  async #addHost(name: string): Promise<void> {
    const namespace = await this.#addNamespace(name);
    this.#places.set(name, { namespace, address: await this.#plug(namespace, name, "eth0") });
  }

  async #addHome(name: string): Promise<void> {
    const router = await this.#addNamespace(`${name}-r`);
    const namespace = await this.#addNamespace(name);
    const routerAddress = await this.#plug(router, name, "wan");
    await ip(
      ...["-n", router, "link", "add", "lan", "type", "veth"],
      ...["peer", "name", "eth0", "netns", namespace],
    );
    await ip("-n", router, "addr", "add", "192.168.7.1/24", "dev", "lan");
    await ip("-n", router, "link", "set", "lan", "up");
    await ip("-n", namespace, "addr", "add", "192.168.7.2/24", "dev", "eth0");
    await ip("-n", namespace, "link", "set", "eth0", "up");
    await ip("-n", namespace, "route", "add", "default", "via", "192.168.7.1");
    const setUp = `echo 1 > /proc/sys/net/ipv4/ip_forward && nft '${MASQUERADE}'`;
    await execute("ip", ["netns", "exec", router, "sh", "-c", setUp]);
    const place = { namespace, address: "192.168.7.2" };
    this.#places.set(name, { ...place, router: { namespace: router, address: routerAddress } });
  }
}

// A port is kept where it is free, as most routers do; strangers get no answer at all.
const MASQUERADE = `
  table ip home {
    chain nat { type nat hook postrouting priority 100; oifname "wan" masquerade; }
    chain input {
      type filter hook input priority 0;
      ct state established,related accept
      iifname "wan" drop
    }
    chain forward {
      type filter hook forward priority 0; policy drop;
      ct state established,related accept
      iifname "lan" accept
    }
  }`;

function ip(...args: string[]): Promise<CommandResult> {
  return execute("ip", args);
}
