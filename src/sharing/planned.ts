/** What a download plan keeps of chunks and peers. */
import type { Manifest } from "./manifest.ts";
import { CHUNK_BYTES } from "./names.ts";
import type { PeerSpeed } from "./peer_speed.ts";

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
  readonly flying: Set<number>;
  restedUntil: number;
  /** In turn: what is left of its part. */
  queue: number[] | undefined;
}

/** How far a chunk is. */
export interface ChunkState {
  /** Peers it is being fetched from. */
  readonly flying: Set<string>;
  readonly failedBy: Set<string>;
  attempts: number;
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

/** Bytes a peer is asked for now. */
export function flyingBytes({ flying }: PlannedPeer, chunks: readonly Chunk[]): number {
  let bytes = 0;
  for (const index of flying) bytes += chunks[index]?.length ?? 0;
  return bytes;
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
