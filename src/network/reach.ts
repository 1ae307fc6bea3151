/** How a node behind a router is reached: relays, hole punching, reachability checks, UPnP. */
import { autoNAT } from "@libp2p/autonat";
import {
  circuitRelayServer,
  type CircuitRelayService,
  circuitRelayTransport,
} from "@libp2p/circuit-relay-v2";
import { HolePunch } from "./hole_punch.ts";
import type { SwarmExtras } from "./swarm_extras.ts";

/** What of it takes part. */
export interface ReachInit {
  /** Dial and be dialled through relays, and punch holes. */
  usesRelays: boolean;
  /** Be a relay for others. */
  isRelay: boolean;
  /** Ask other peers whether we can be reached, and answer them. */
  checksReachability: boolean;
  /** Ask the router for a port. */
  mapsPort: boolean;
  /** Reservations of a relay. */
  maxReservations: number;
  /** Bytes of a relayed connection, each way. */
  dataLimit: number;
  /** Longest relayed connection, in milliseconds. */
  timeLimitMs: number;
}

/** The libp2p parts for it. */
export async function reachParts(
  init: ReachInit,
): Promise<Pick<SwarmExtras, "dialFrom" | "services" | "transports">> {
  const services: Record<string, unknown> = {};
  const holePunch = init.usesRelays ? new HolePunch() : undefined;
  if (holePunch) services["dcutr"] = holePunch.service();
  if (init.isRelay) {
    services["relay"] = circuitRelayServer({
      maxInboundHopStreams: 1_024,
      maxOutboundHopStreams: 1_024,
      maxOutboundStopStreams: 1_024,
      reservations: {
        maxReservations: init.maxReservations,
        defaultDataLimit: BigInt(init.dataLimit),
        defaultDurationLimit: init.timeLimitMs,
      },
    });
  }
  if (init.checksReachability) services["autoNAT"] = autoNAT();
  if (init.mapsPort) services["upnp"] = (await import("./upnp.ts")).mapPorts();
  return {
    ...holePunch ? { dialFrom: (address) => holePunch.dialFrom(address) } : {},
    transports: init.usesRelays ? [circuitRelayTransport()] : [],
    services: services as NonNullable<SwarmExtras["services"]>,
  };
}

/** Peers that hold a place at this relay; undefined when it is none. */
export function reservationsOf(services: Record<string, unknown>): string[] | undefined {
  const relay = services["relay"] as CircuitRelayService | undefined;
  return relay && [...relay.reservations.keys()].map((peerId) => peerId.toString());
}
