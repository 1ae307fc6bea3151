import {
  circuitRelayServer,
  type CircuitRelayService,
  type RelayReservation,
} from "@libp2p/circuit-relay-v2";
import type {
  Connection,
  ConnectionGater,
  Libp2pEvents,
  PeerId,
  TypedEventTarget,
} from "@libp2p/interface";
import { tellSeconds } from "./relay_wire.ts";

/** libp2p's circuit relay v2: a peer asks for a place or for a circuit. */
const HOP_PROTOCOL = "/libp2p/circuit/relay/0.2.0/hop";
/** libp2p's circuit relay v2: a circuit reaches its target. */
const STOP_PROTOCOL = "/libp2p/circuit/relay/0.2.0/stop";
/** Streams of these protocols, of one connection. */
const MAX_RELAY_STREAMS = 1_024;

/** What a relay gives away. */
export interface RelayLimits {
  /** Peers that hold a place. */
  maxReservations: number;
  /** Circuits from and to one peer. */
  maxCircuits: number;
  /** Bytes of one circuit, both ways together. */
  dataLimit: number;
  /** Longest circuit, in milliseconds. */
  timeLimitMs: number;
}

interface RelayComponents {
  events: TypedEventTarget<Libp2pEvents>;
  connectionManager: { getConnections(peerId: PeerId): Connection[] };
}

type Reservation = RelayReservation & { signal?: { clear?(): void } };

/** libp2p's relay, with a bound on circuits and with places that end with their connection. */
export function relayServer(limits: RelayLimits): {
  service: (components: never) => CircuitRelayService;
  gater: ConnectionGater;
} {
  let connectionsOf: RelayComponents["connectionManager"]["getConnections"] = () => [];
  const create = circuitRelayServer({
    maxInboundHopStreams: MAX_RELAY_STREAMS,
    maxOutboundHopStreams: MAX_RELAY_STREAMS,
    maxOutboundStopStreams: MAX_RELAY_STREAMS,
    reservations: {
      maxReservations: limits.maxReservations,
      defaultDataLimit: BigInt(limits.dataLimit),
      defaultDurationLimit: limits.timeLimitMs,
    },
  });
  const circuitsOf = (peerId: PeerId) =>
    connectionsOf(peerId).flatMap(({ streams }) => streams).filter(({ protocol }) =>
      protocol === HOP_PROTOCOL || protocol === STOP_PROTOCOL
    ).length;
  return {
    service(components) {
      const { events, connectionManager } = components as RelayComponents;
      connectionsOf = (peerId) => connectionManager.getConnections(peerId);
      const relay = create(components);
      tellSeconds(relay);
      events.addEventListener("peer:disconnect", ({ detail }) => freePlace(relay, detail));
      return relay;
    },
    gater: {
      // What the source asks with counts as well.
      denyOutboundRelayedConnection: (source, destination) =>
        circuitsOf(source) > limits.maxCircuits || circuitsOf(destination) >= limits.maxCircuits,
    },
  };
}

// libp2p keeps a place for two hours after its peer has gone, so strangers could fill all.
function freePlace({ reservations }: CircuitRelayService, peerId: PeerId): void {
  const reservation = reservations.get(peerId) as Reservation | undefined;
  reservation?.signal?.clear?.(); // it would end a later place of the same peer
  reservations.delete(peerId);
}

/** Peers that hold a place at this relay; undefined when it is none. */
export function reservationsOf(services: Record<string, unknown>): string[] | undefined {
  const relay = services["relay"] as CircuitRelayService | undefined;
  return relay && [...relay.reservations.keys()].map((peerId) => peerId.toString());
}
