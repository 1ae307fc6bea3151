/**
 * Small local networks for tests: named hosts, each a network namespace, joined by a bridge in a
 * namespace of its own. Nothing in them can reach the machine's network, nor be reached from it.
 *
 * ```ts
 * testInNetns("Swarm.start() finds its neighbour", async () => {
 *   await using lan = await Lan.create(["alice", "bob"]);
 *   await using daemon = new LineProcess({ command, netns: lan.host("alice").namespace });
 *   await lan.cut("bob");
 * });
 * ```
 *
 * Needs root and `ip` (Debian: iproute2). Names carry this process's id, so test processes do not
 * meet; what a killed run left behind: `ip netns list | grep '^alm'`, then `ip netns del NAME`.
 */
import { DaemonError } from "../../src/core/mod.ts";
import process from "node:process";

/** One host of a {@link Lan}. */
export interface LanHost {
  readonly name: string;
  /** For `ip netns exec`. */
  readonly namespace: string;
  /** Its address in 10.77.0.0/24, on interface `eth0`; assigned unless IPv4 is off. */
  readonly ipv4: string;
  /** Its address in fd77::/64; assigned unless IPv6 is off. */
  readonly ipv6: string;
}

/** What a {@link Lan} is like. */
export interface LanInit {
  /** @default {true} */
  hasIpv4?: boolean;
  /** Off switches IPv6 off in every host, link-local addresses included. @default {true} */
  hasIpv6?: boolean;
  /** A default route through an address nobody has. @default {false} */
  hasDefaultRoute?: boolean;
}

/** What a command left behind. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let lans = 0;
let canUse: boolean | undefined;

/**
 * Whether a test that needs namespaces shall run. Where none can be made it is skipped loudly;
 * with `ALMENAD_REQUIRE_NETNS=1` it runs all the same, and {@link Lan.create} fails it.
 */
export function requireNetns(testName: string): boolean {
  canUse ??= probe();
  if (canUse || Deno.env.get("ALMENAD_REQUIRE_NETNS") === "1") return true;
  const line = `SKIPPED (needs root and ip netns): ${testName}\n`;
  Deno.stderr.writeSync(new TextEncoder().encode(line));
  return false;
}

/** Registers a test that needs namespaces, see {@link requireNetns}. */
export function testInNetns(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !requireNetns(name), fn });
}

function probe(): boolean {
  const name = `alm${process.pid}-probe`;
  const ip = (...args: string[]) => {
    try {
      return new Deno.Command("ip", { args, stdout: "null", stderr: "null" }).outputSync().success;
    } catch {
      return false; // no such command
    }
  };
  return Deno.build.os === "linux" && ip("netns", "add", name) && ip("netns", "del", name);
}

/** Hosts on one wire. Dispose of it, also after a failure: `await using`. */
export class Lan implements AsyncDisposable {
  readonly #prefix: string;
  readonly #hosts = new Map<string, LanHost>();
  readonly #init: LanInit;

  private constructor(init: LanInit) {
    this.#prefix = `alm${process.pid}-${lans++}`;
    this.#init = init;
  }

  /** @param names Of the hosts, up to 6 letters and digits each. */
  static async create(names: readonly string[], init: LanInit = {}): Promise<Lan> {
    const lan = new Lan(init);
    try {
      await lan.#addBridge();
      for (const name of names) await lan.add(name);
      return lan;
    } catch (error) {
      await lan[Symbol.asyncDispose]();
      throw error;
    }
  }

  get #bridge(): string {
    return `${this.#prefix}-lan`;
  }

  async #addBridge(): Promise<void> {
    await ip("netns", "add", this.#bridge);
    await ip("-n", this.#bridge, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0");
    await ip("-n", this.#bridge, "link", "set", "br0", "up");
  }

  /** Adds a host and plugs it in. */
  async add(name: string): Promise<LanHost> {
    const number = this.#hosts.size + 1;
    const namespace = `${this.#prefix}-${name}`;
    const host = { name, namespace, ipv4: `10.77.0.${number}`, ipv6: `fd77::${number}` };
    this.#hosts.set(name, host);
    await ip("netns", "add", namespace);
    await this.run(name, ["sh", "-c", this.#init.hasIpv6 === false ? IPV6_OFF : NO_DAD]);
    await ip("-n", namespace, "link", "set", "lo", "up");
    await this.plug(name);
    return host;
  }

  /** A host by name. */
  host(name: string): LanHost {
    const host = this.#hosts.get(name);
    if (host) return host;
    throw new DaemonError("not_found", `Cannot find host "${name}" in this network`);
  }

  /** Gives a host a new `eth0` with its addresses; it must have none. */
  async plug(name: string): Promise<void> {
    const { namespace, ipv4, ipv6 } = this.host(name);
    const { hasIpv4 = true, hasIpv6 = true, hasDefaultRoute = false } = this.#init;
    const port = portOf(name);
    // Both ends are born inside: the machine's own namespace never sees them.
    await ip(
      ...["-n", this.#bridge, "link", "add", port, "type", "veth"],
      ...["peer", "name", "eth0", "netns", namespace],
    );
    await ip("-n", this.#bridge, "link", "set", port, "master", "br0", "up");
    if (hasIpv4) await this.addAddress(name, `${ipv4}/24`);
    if (hasIpv6) await this.addAddress(name, `${ipv6}/64`);
    await ip("-n", namespace, "link", "set", "eth0", "up");
    if (!hasDefaultRoute) return;
    if (hasIpv4) await ip("-n", namespace, "route", "add", "default", "via", "10.77.0.254");
    if (hasIpv6) await ip("-n", namespace, "route", "add", "default", "via", "fd77::fe");
  }

  /** Takes a host's `eth0` away, as when a network card is pulled. */
  async unplug(name: string): Promise<void> {
    await ip("-n", this.#bridge, "link", "del", portOf(name));
  }

  /** Cuts a host off while its interface stays up: a partition nobody is told of. */
  async cut(name: string): Promise<void> {
    await ip("-n", this.#bridge, "link", "set", portOf(name), "nomaster");
  }

  /** Joins a host that was cut off. */
  async heal(name: string): Promise<void> {
    await ip("-n", this.#bridge, "link", "set", portOf(name), "master", "br0");
  }

  /** Lets no multicast through to a host, as some switches and access points do. */
  async muteMulticast(name: string): Promise<void> {
    const port = ["link", "set", portOf(name), "type", "bridge_slave", "mcast_flood", "off"];
    await ip("-n", this.#bridge, ...port);
  }

  /** Switches a host's `eth0` on or off, as its user would; IPv6 addresses are lost when off. */
  async setInterface(name: string, state: "up" | "down"): Promise<void> {
    const { namespace, ipv6 } = this.host(name);
    await ip("-n", namespace, "link", "set", "eth0", state);
    if (state === "up" && this.#init.hasIpv6 !== false) await this.addAddress(name, `${ipv6}/64`);
  }

  /** Adds an address such as `10.77.0.9/24` to a host's `eth0`. */
  async addAddress(name: string, cidr: string): Promise<void> {
    const noDad = cidr.includes(":") ? ["nodad"] : [];
    await ip("-n", this.host(name).namespace, "addr", "replace", cidr, "dev", "eth0", ...noDad);
  }

  /** Removes an address from a host's `eth0`. */
  async removeAddress(name: string, cidr: string): Promise<void> {
    await ip("-n", this.host(name).namespace, "addr", "del", cidr, "dev", "eth0");
  }

  /** The command line that runs another one on a host. */
  commandOn(name: string, command: readonly string[]): string[] {
    return ["ip", "netns", "exec", this.host(name).namespace, ...command];
  }

  /** Runs a command on a host to its end. @throws {DaemonError} `internal` if it fails. */
  run(name: string, command: readonly string[]): Promise<CommandResult> {
    const [program = "", ...args] = this.commandOn(name, command);
    return execute(program, args);
  }

  /** Deletes everything; processes on its hosts must have been ended before. */
  async [Symbol.asyncDispose](): Promise<void> {
    const namespaces = [...this.#hosts.values()].map(({ namespace }) => namespace);
    for (const namespace of [...namespaces, this.#bridge]) {
      await ip("netns", "del", namespace).catch(() => undefined); // it was never made
    }
  }
}

// A fresh address is usable at once, instead of after a second of duplicate detection.
const NO_DAD =
  "for f in all default; do echo 0 > /proc/sys/net/ipv6/conf/$f/accept_dad || exit 1; done";
const IPV6_OFF =
  "for f in all default lo; do echo 1 > /proc/sys/net/ipv6/conf/$f/disable_ipv6 || exit 1; done";

function portOf(name: string): string {
  return `to-${name}`;
}

function ip(...args: string[]): Promise<CommandResult> {
  return execute("ip", args);
}

/** Runs a command to its end. @throws {DaemonError} `internal` if it fails. */
export async function execute(program: string, args: string[]): Promise<CommandResult> {
  const output = await new Deno.Command(program, { args, stdin: "null" }).output();
  const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) =>
    new TextDecoder().decode(bytes)
  );
  const result = { code: output.code, stdout: stdout ?? "", stderr: stderr ?? "" };
  if (output.success) return result;
  throw new DaemonError(
    "internal",
    `Cannot run "${[program, ...args].join(" ")}": exit code ${output.code}: ${result.stderr}`,
  );
}
