/** Where peers stand on the map, and how their links are drawn. */
import type { Peer } from "../wire/shapes.ts";

/** A peer's place on the map. */
export interface MapNode {
  readonly peer: Peer;
  readonly x: number;
  readonly y: number;
  readonly ring: Ring;
  /** Of the link, in units of the map. */
  readonly width: number;
  readonly speed: Speed;
}

/** Which ring a peer stands on. */
export type Ring = "lan" | "internet";
/** How near a peer is, by its round trip. */
export type Speed = "near" | "close" | "far" | "slow" | "unknown";

/** The map is a square of so many units. */
export const MAP_SIZE = 640;
/** Radius of each ring. */
export const RADIUS: Readonly<Record<Ring, number>> = { lan: 150, internet: 268 };
/** Peers drawn on each ring; the table has all. */
export const MAX_ON_RING: Readonly<Record<Ring, number>> = { lan: 36, internet: 60 };

/** What each speed means. */
export const SPEEDS: readonly { readonly id: Speed; readonly text: string }[] = [
  { id: "near", text: "under 20 ms" },
  { id: "close", text: "under 80 ms" },
  { id: "far", text: "under 200 ms" },
  { id: "slow", text: "200 ms or more" },
  { id: "unknown", text: "not measured" },
];

/** The speed of a round trip. */
export function speedOf(latencyMs: number | undefined): Speed {
  if (latencyMs === undefined) return "unknown";
  if (latencyMs < 20) return "near";
  if (latencyMs < 80) return "close";
  return latencyMs < 200 ? "far" : "slow";
}

/** Bytes a second both ways. */
export function rateOf(peer: Peer): number {
  return (peer.in_bytes_per_second ?? 0) + (peer.out_bytes_per_second ?? 0);
}

/** Width of a link: a hair for silence, then one step for each factor of ten. */
export function widthOf(bytesPerSecond: number): number {
  if (bytesPerSecond < 100) return 1.25;
  return Math.min(9, 1.25 + 1.3 * (Math.log10(bytesPerSecond) - 1.7));
}

/** The ring of a peer. */
export function ringOf(peer: Peer): Ring {
  return peer.is_internal ? "lan" : "internet";
}

/**
 * Remembers where each peer stands, so that nobody jumps when others come and go. A newcomer takes
 * the free place that is farthest from those taken.
 */
export class Places {
  readonly #taken: Record<Ring, Map<string, number>> = { lan: new Map(), internet: new Map() };

  /** The peers to draw, connected ones first, at their places. */
  arrange(peers: readonly Peer[]): { nodes: readonly MapNode[]; left: number } {
    const others = peers.filter(({ is_self }) => !is_self);
    const nodes = (["lan", "internet"] as const).flatMap((ring) => {
      const here = others.filter((peer) => ringOf(peer) === ring);
      const drawn = this.#choose(here, ring);
      return drawn.map((peer) => this.#node(peer, ring));
    });
    return { nodes, left: others.length - nodes.length };
  }

  // Who stands there stays, as long as it is connected; the busiest of the others come after.
  #choose(peers: readonly Peer[], ring: Ring): readonly Peer[] {
    const taken = this.#taken[ring];
    const limit = MAX_ON_RING[ring];
    const rank = (peer: Peer) => (peer.is_connected ? 2 : 0) + (taken.has(peer.peer_id) ? 1 : 0);
    const drawn = peers.length <= limit
      ? peers
      : [...peers].sort((a, b) => rank(b) - rank(a)).slice(0, limit);
    const ids = new Set(drawn.map(({ peer_id }) => peer_id));
    for (const id of taken.keys()) if (!ids.has(id)) taken.delete(id);
    for (const id of ids) if (!taken.has(id)) taken.set(id, freeSlot(taken));
    return drawn;
  }

  #node(peer: Peer, ring: Ring): MapNode {
    const slot = this.#taken[ring].get(peer.peer_id) ?? 0;
    const turn = ring === "lan" ? 0.06 : 0.19;
    const angle = 2 * Math.PI * (positionOf(slot) + turn) - Math.PI / 2;
    const [x, y] = [Math.cos(angle), Math.sin(angle)]
      .map((part) => Math.round((MAP_SIZE / 2 + RADIUS[ring] * part) * 10) / 10);
    return {
      ...{ peer, ring, x: x ?? 0, y: y ?? 0 },
      width: widthOf(rateOf(peer)),
      speed: speedOf(peer.latency_ms),
    };
  }
}

function freeSlot(taken: ReadonlyMap<string, number>): number {
  const used = new Set(taken.values());
  let slot = 0;
  while (used.has(slot)) slot++;
  return slot;
}

// The bits of the slot, mirrored: 0, 1/2, 1/4, 3/4, 1/8 …, so that any number is spread out.
function positionOf(slot: number): number {
  let [position, step] = [0, 0.5];
  for (let rest = slot; rest > 0; rest >>= 1, step /= 2) position += (rest & 1) * step;
  return position;
}
