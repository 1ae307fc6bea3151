/** What listening needs to know of addresses and of this machine. */
import type { Multiaddr } from "@multiformats/multiaddr";
import { networkInterfaces } from "node:os";
import { messageOf } from "../core/mod.ts";

// libp2p tells each address's error with its stack, on many lines; the reasons are what helps.
/** Why no address could be listened on. */
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
/** Whether this machine speaks IPv6. */
export function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).flat().some((address) => address?.family === "IPv6");
}
