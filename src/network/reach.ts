/** How a node behind a router is reached: relays, hole punching, reachability checks, UPnP. */
import { circuitRelayTransport } from "@libp2p/circuit-relay-v2";
import { Autonat } from "./autonat.ts";
import { HolePunch } from "./hole_punch.ts";
import { type RelayLimits, relayServer } from "./relay_server.ts";
import type { SwarmExtras } from "./swarm_extras.ts";

/** What of it takes part. */
export interface ReachInit {
  /** Dial and be dialled through relays, and punch holes. */
  usesRelays: boolean;
  /** Be a relay for others. */
  isRelay: boolean;
  /** Answer other peers whether they can be reached. */
  checksOthers: boolean;
  /** Told what other peers answer us; they are not asked when absent. */
  onReached?: (isReached: boolean) => void;
  /** Ask the router for a port. */
  mapsPort: boolean;
  /** As a relay. */
  limits: RelayLimits;
}

/** The libp2p parts for it. */
export async function reachParts(
  init: ReachInit,
): Promise<Pick<SwarmExtras, "dialFrom" | "gater" | "services" | "transports">> {
  const services: Record<string, unknown> = {};
  const holePunch = init.usesRelays ? new HolePunch() : undefined;
  if (holePunch) services["dcutr"] = holePunch.service();
  const relay = init.isRelay ? relayServer(init.limits) : undefined;
  if (relay) services["relay"] = relay.service;
  const autonat = new Autonat({
    isServer: init.checksOthers,
    ...init.onReached ? { onAnswer: init.onReached } : {},
  });
  services["autoNAT"] = autonat.service();
  if (init.mapsPort) services["upnp"] = (await import("./upnp.ts")).mapPorts();
  return {
    ...holePunch
      ? {
        dialFrom: (address) => autonat.isDialled(address) ? undefined : holePunch.dialFrom(address),
      }
      : {},
    ...relay ? { gater: relay.gater } : {},
    transports: init.usesRelays ? [circuitRelayTransport()] : [],
    services: services as NonNullable<SwarmExtras["services"]>,
  };
}
