import { ChunkMap, MAX_NAMED_PEERS } from "./chunk_map.ts";
import type { DownloadPlan } from "./download_plan.ts";
import { CHUNK_BYTES } from "./names.ts";
import type { Chunk } from "./planned.ts";
import type { DownloadProgress } from "./progress.ts";
import type { Transfer, TransferPeer } from "./transfers.ts";

/** What a record is asked for: everything of a transfer but its name. */
export type TransferFacts = Omit<Transfer, "id" | "version" | "status">;

/** Who brought what of a download, and who failed why; for those who show it. */
export class DownloadRecord {
  readonly #plan: DownloadPlan;
  readonly #map: ChunkMap;
  /** Why peers failed last. */
  readonly #problems = new Map<string, string>();

  /** @param plan Before anything was fetched. */
  constructor(plan: DownloadPlan) {
    this.#plan = plan;
    this.#map = new ChunkMap(plan.chunks.length, (index) => !plan.isOpen(index));
  }

  /** A chunk came. */
  landed({ index }: Chunk, peerId: string): void {
    this.#map.landed(index, peerId);
  }

  /** A chunk did not come. */
  failed(peerId: string, problem: string): void {
    this.#problems.delete(peerId);
    this.#problems.set(peerId, problem);
    const [oldest] = this.#problems.keys();
    if (this.#problems.size > MAX_NAMED_PEERS && oldest !== undefined) {
      this.#problems.delete(oldest);
    }
  }

  /** @param flying Chunks that are asked for now, and of whom. */
  facts(
    { doneBytes, totalBytes, bytesPerSecond, secondsLeft }: Omit<DownloadProgress, "peers">,
    flying: ReadonlyMap<Chunk, ReadonlyMap<string, unknown>>,
    now: number,
  ): TransferFacts {
    const asked = new Map<number, string>();
    for (const [{ index }, peers] of flying) {
      for (const peerId of peers.keys()) asked.set(index, peerId);
    }
    const map = this.#map.runs(asked);
    const problem = [...this.#problems.values()].at(-1);
    return {
      ...{ bytesTotal: totalBytes, bytesDone: doneBytes, bytesPerSecond },
      ...(secondsLeft === undefined ? {} : { secondsLeft }),
      ...{ chunkBytes: CHUNK_BYTES, chunksTotal: this.#map.total, chunksDone: this.#map.done },
      ...{ map, peers: this.#peers(now) },
      ...(problem === undefined ? {} : { problem }),
    };
  }

  // By their index in the map; those that have brought nothing yet come last.
  #peers(now: number): TransferPeer[] {
    const states = new Map(this.#plan.states(now).map((state) => [state.peerId, state]));
    for (const peerId of states.keys()) this.#map.peerIndex(peerId);
    return this.#map.peers.map((peerId, index) => {
      const problem = this.#problems.get(peerId);
      return {
        ...{ peerId, bytesPerSecond: 0, streams: 0, status: "Idle" as const, isPartial: false },
        ...states.get(peerId),
        chunks: this.#map.brought[index] ?? 0,
        ...(problem === undefined ? {} : { problem }),
      };
    });
  }
}
