/** Addresses to listen on, and what became of them. */
import type { Multiaddr } from "@multiformats/multiaddr";
import type { Server } from "node:net";
import { networkInterfaces } from "node:os";
import { logger, messageOf } from "../core/mod.ts";

const log = logger("network");

/**
 * Those of the addresses that this machine can have.
 *
 * @param isOptional Whether an address of a missing family is passed over.
 */
export function usableAddresses(listen: readonly string[], isOptional: boolean): string[] {
  if (!isOptional || hasIpv6()) return [...listen];
  log.warn("This machine has no IPv6; listening on IPv4 alone");
  return listen.filter((address) => !address.startsWith("/ip6/"));
}

/**
 * Where TCP listeners can be reached on this machine, one address each. The listeners are asked, for
 * among the own multiaddrs are a router's (UPnP) and those of relays, which are not here.
 */
export function endpointsOf(servers: Iterable<Server>): { host: string; port: number }[] {
  const bound = [...servers].map((server) => server.address());
  return bound.filter((at) => at !== null && typeof at === "object").map(({ address, port }) => {
    // One on every address is dialled on loopback, which stays; another only where it listens.
    const host = address === "0.0.0.0" ? "127.0.0.1" : address === "::" ? "::1" : address;
    return { host, port };
  });
}

/** Why libp2p could not listen: it tells each address's error with its stack, on many lines. */
export function listenProblem(cause: unknown): string {
  const message = messageOf(cause);
  const reasons = [...message.matchAll(/^ {2}\/\S+: \w*Error: (.+)$/gm)].map(([, reason]) =>
    reason
  );
  return reasons.length > 0 ? reasons.join("; ") : message.split("\n")[0] ?? "";
}

/** An own or remote address in text, without `/p2p/<peer id>` at its end. */
export function withoutPeerId(address: Multiaddr): string {
  return address.toString().replace(/\/p2p\/[^/]+$/, "");
}

// Loopback has ::1 wherever the system speaks IPv6 at all.
function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).flat().some((address) => address?.family === "IPv6");
}
