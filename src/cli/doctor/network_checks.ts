/** Whether other machines can be found: interfaces for multicast, and a way for mDNS through the firewall. */
import { Buffer } from "node:buffer";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { networkInterfaces } from "node:os";
import { messageOf, pause } from "../../core/mod.ts";
import { error, type Finding, ok, warning } from "./finding.ts";

/** RFC 6762 section 3. */
const MDNS = { port: 5_353, group: "224.0.0.251" } as const;
/** linux/if.h: IFF_MULTICAST. */
const IFF_MULTICAST = 0x1000;
/** A packet that this machine sends to itself is there in a moment, or never. */
const PROBE_MS = 400;
const PROBES = 2;

/** One interface by its IPv4 address. */
export interface Interface {
  readonly name: string;
  readonly address: string;
}

/** Looks at interfaces and sends a probe through each. */
export async function checkNetwork(): Promise<Finding[]> {
  const able = await multicastInterfaces();
  if (able.length === 0) {
    return [error(
      "multicast",
      "no interface but loopback can multicast, so no peer is found by itself",
      "connect to a network; on Linux: ip link set <interface> up multicast on; " +
        "or name peers in BOOTSTRAP_PEERS",
    )];
  }
  const names = able.map(({ name, address }) => `${name} (${address})`).join(", ");
  const probes = await Promise.all(able.map(probeFirewall));
  return [ok("multicast", `can multicast on ${names}`), ...probes];
}

async function multicastInterfaces(): Promise<Interface[]> {
  const all = Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    (addresses ?? []).filter(({ internal, family }) => !internal && family === "IPv4")
      .map(({ address }) => ({ name, address }))
  );
  const flags = await Promise.all(all.map(({ name }) => canMulticast(name)));
  return all.filter((_, at) => flags[at]);
}

async function canMulticast(name: string): Promise<boolean> {
  // By a program of the system, as the runtime keeps this file from programs with rights of their own.
  const { promise, resolve } = Promise.withResolvers<string>();
  const path = `/sys/class/net/${name}/flags`;
  execFile("cat", [path], { timeout: 3_000 }, (_failure, stdout) => resolve(String(stdout)));
  const flags = Number((await promise).trim() || IFF_MULTICAST); // only Linux tells
  return (flags & IFF_MULTICAST) !== 0;
}

/**
 * Sends a question that nobody answers to the group and waits for the system's own copy of it; the
 * firewall of this machine sees that twice, going out and coming in. No router passes it on.
 */
async function probeFirewall({ name, address }: Interface): Promise<Finding> {
  try {
    if (await hearsItself(address)) {
      return ok(
        "firewall",
        `mDNS passes on ${name} (tried on this machine; what others drop is not seen)`,
      );
    }
  } catch (failure) {
    const reason = messageOf(failure);
    if (/EPERM|not permitted|send UNKNOWN/i.test(reason)) return dropped(name);
    return warning(
      "firewall",
      `mDNS cannot be tried on ${name}: ${reason}`,
      "see which program holds UDP port 5353 without sharing it",
    );
  }
  return dropped(name);
}

function dropped(name: string): Finding {
  return error(
    "firewall",
    `mDNS does not pass on ${name}: a firewall of this machine drops UDP port 5353`,
    "allow UDP 5353 in and out: ufw allow 5353/udp, or firewall-cmd --add-service=mdns, " +
      "or nft add rule inet filter input udp dport 5353 accept",
  );
}

async function hearsItself(address: string): Promise<boolean> {
  const marker = `almenad-doctor-${randomBytes(8).toString("hex")}`;
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  const heard = new AbortController();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  socket.on("error", failed.reject);
  socket.on("message", (packet) => {
    if (packet.includes(marker)) heard.abort();
  });
  try {
    const bound = Promise.withResolvers<void>();
    socket.bind({ address: "0.0.0.0", port: MDNS.port }, bound.resolve);
    await Promise.race([bound.promise, failed.promise]);
    socket.addMembership(MDNS.group, address);
    socket.setMulticastInterface(address);
    socket.setMulticastTTL(1);
    socket.setMulticastLoopback(true);
    for (let round = 0; round < PROBES && !heard.signal.aborted; round++) {
      await Promise.race([send(socket, question(marker)), failed.promise]);
      await Promise.race([pause(PROBE_MS, heard.signal), failed.promise]);
    }
    return heard.signal.aborted;
  } finally {
    const closed = Promise.withResolvers<void>();
    socket.close(() => closed.resolve());
    await closed.promise;
  }
}

async function send(socket: ReturnType<typeof createSocket>, packet: Buffer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.send(packet, MDNS.port, MDNS.group, (failure) => failure ? reject(failure) : resolve());
  await promise;
}

/** RFC 1035 section 4.1: one question for a name in `.local`. */
export function question(label: string): Buffer {
  const header = Buffer.from([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const labels = [label, "local"].map((text) =>
    Buffer.concat([Buffer.from([text.length]), Buffer.from(text)])
  );
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, 12, 0, 1])]);
}
