/** Chunks dealt in turn: the baseline that the measured plan is compared with. */
import type { Chunk, ChunkState, PlannedPeer } from "./planned.ts";
import { hasChunk } from "./planned.ts";

/** Deals what is missing anew over the peers. */
export function dealInTurn(
  peers: readonly PlannedPeer[],
  missing: Iterable<number>,
  chunks: readonly Chunk[],
): void {
  for (const peer of peers) peer.queue = [];
  for (const [turn, index] of [...missing].entries()) {
    const chunk = chunks[index];
    const able = chunk ? peers.filter((peer) => hasChunk(peer, chunk)) : [];
    able[turn % Math.max(1, able.length)]?.queue?.push(index);
  }
}

/** The next chunk of a peer's part, or one that failed elsewhere: that is nobody's part any more. */
export function nextInTurn(
  peer: PlannedPeer,
  missing: Iterable<number>,
  states: ReadonlyMap<number, ChunkState>,
  isUsable: (index: number) => boolean,
): number | undefined {
  const queue = peer.queue ?? [];
  while (queue.length > 0) {
    const index = queue.shift();
    if (index !== undefined && isUsable(index)) return index;
  }
  for (const index of missing) {
    if ((states.get(index)?.attempts ?? 0) > 0 && isUsable(index)) return index;
  }
  return undefined;
}
