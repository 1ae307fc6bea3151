/** What a download plan keeps of chunks and peers. */
import type { Manifest } from "./manifest.ts";
import { CHUNK_BYTES } from "./names.ts";
import { PeerSpeed } from "./peer_speed.ts";
import type { TransferPeer } from "./transfers.ts";

/** A chunk to be fetched. */
export interface Chunk {
  readonly index: number;
  /** Index of its file in the manifest. */
  readonly file: number;
  /** Index within its file. */
  readonly chunk: number;
  readonly length: number;
}

/** A peer in a plan. */
export interface PlannedPeer {
  readonly peerId: string;
  /** Missing for a peer that has everything. */
  bitmaps: ReadonlyMap<number, Uint8Array> | undefined;
  /** Files it does not have as the majority says. */
  readonly lacks: ReadonlySet<number>;
  readonly speed: PeerSpeed;
  /** Bytes still to come of each chunk it is asked for. */
  readonly flying: Map<number, number>;
  restedUntil: number;
  /** It is not connected now. */
  isAway: boolean;
  /** In turn: what is left of its part. */
  queue: number[] | undefined;
}

/** How far a chunk is. */
export interface ChunkState {
  /** Peers it is being fetched from, or whose bytes are being looked at. */
  readonly flying: Set<string>;
  readonly failedBy: Set<string>;
  attempts: number;
}

/** What a peer has. */
export interface PeerHoldings {
  readonly lacks?: ReadonlySet<number>;
  readonly bitmaps?: ReadonlyMap<number, Uint8Array> | undefined;
}

/** A peer that was asked for nothing yet. */
export function newPeer(peerId: string, { lacks = new Set(), bitmaps }: PeerHoldings): PlannedPeer {
  const speed = new PeerSpeed();
  const rest = { restedUntil: 0, isAway: false, queue: undefined };
  return { peerId, bitmaps, lacks, speed, flying: new Map(), ...rest };
}

/** A chunk that nobody was asked for yet. */
export function newState(): ChunkState {
  return { flying: new Set(), failedBy: new Set(), attempts: 0 };
}

/** What a peer does, for those who show it. */
export function stateOf(peer: PlannedPeer, now: number): Omit<TransferPeer, "chunks"> {
  const { peerId, speed, flying, restedUntil, bitmaps } = peer;
  return {
    ...{ peerId, streams: flying.size, isPartial: bitmaps !== undefined },
    bytesPerSecond: flying.size > 0 ? Math.round(speed.rate) : 0,
    status: restedUntil > now ? "Resting" : flying.size > 0 ? "Fetching" : "Idle",
  };
}

/** How chunks are dealt. */
export type PlanStrategy = "measured" | "round-robin";

/** How a download plan deals. */
export interface DownloadPlanInit {
  /** @default {"measured"} */
  readonly strategy?: PlanStrategy;
  readonly selfId?: string;
  /** A number from 0 to 1. @default {Math.random} */
  readonly random?: () => number;
}

/** Whether a peer has a chunk as the majority says. */
export function hasChunk(peer: PlannedPeer, { file, chunk }: Chunk): boolean {
  if (peer.lacks.has(file)) return false;
  if (!peer.bitmaps) return true;
  return ((peer.bitmaps.get(file)?.[chunk >> 3] ?? 0) >> (chunk & 7) & 1) === 1;
}

/** Bytes that a peer was asked for and that are still to come. */
export function flyingBytes({ flying }: PlannedPeer): number {
  let bytes = 0;
  for (const left of flying.values()) bytes += left;
  return bytes;
}

/** Of all who fetch a chunk: several that turn slow must not hold it together. In seconds. */
export function soonest(peers: Iterable<PlannedPeer>, index: number): number {
  const who = [...peers].filter(({ flying }) => flying.has(index));
  return Math.min(...who.map((peer) => flyingBytes(peer) / Math.max(1, peer.speed.rate)));
}

/** Every chunk of an item, in the order of its files. */
export function allChunks({ files }: Pick<Manifest, "files">): Chunk[] {
  const chunks: Chunk[] = [];
  for (const [file, { size }] of files.entries()) {
    for (let chunk = 0; chunk * CHUNK_BYTES < size; chunk++) {
      const length = Math.min(CHUNK_BYTES, size - chunk * CHUNK_BYTES);
      chunks.push({ index: chunks.length, file, chunk, length });
    }
  }
  return chunks;
}
