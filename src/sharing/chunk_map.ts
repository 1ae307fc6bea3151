/** Most cells of a map: of longer downloads a cell stands for several chunks. */
export const MAX_CELLS = 2_048;
/** Most peers that a map names; chunks of others count as done, by nobody. */
export const MAX_NAMED_PEERS = 64;

/** What became of the chunks of a cell; `Kept`: here before this download began. */
export type CellState = "Missing" | "Fetching" | "Done" | "Kept";

/** Cells in a row that are in the same state. */
export interface CellRun {
  cells: number;
  readonly state: CellState;
  /** Index of the peer that brought them, or is asked for them. */
  readonly peer?: number;
}

const [MISSING, KEPT, UNNAMED] = [-1, -2, -3];

/** Which peer brought which chunk, for those who draw it; two bytes a chunk. */
export class ChunkMap {
  /** Peers by the index that cells have. */
  readonly peers: string[] = [];
  /** Chunks that each of them brought. */
  readonly brought: number[] = [];
  readonly #origins: Int16Array;
  #done = 0;

  /** @param isKept Whether a chunk was here before. */
  constructor(chunks: number, isKept: (index: number) => boolean) {
    this.#origins = new Int16Array(chunks).fill(MISSING);
    for (let index = 0; index < chunks; index++) {
      if (!isKept(index)) continue;
      this.#origins[index] = KEPT;
      this.#done++;
    }
  }

  /** Chunks that are here. */
  get done(): number {
    return this.#done;
  }

  /** Chunks of the item. */
  get total(): number {
    return this.#origins.length;
  }

  /** A peer brought a chunk. */
  landed(index: number, peerId: string): void {
    if (this.#origins[index] === MISSING) this.#done++;
    const peer = this.peerIndex(peerId);
    this.#origins[index] = peer ?? UNNAMED;
    if (peer !== undefined) this.brought[peer] = (this.brought[peer] ?? 0) + 1;
  }

  /** The index of a peer; undefined for those past {@link MAX_NAMED_PEERS}. */
  peerIndex(peerId: string): number | undefined {
    const known = this.peers.indexOf(peerId);
    if (known >= 0) return known;
    if (this.peers.length >= MAX_NAMED_PEERS) return undefined;
    this.brought.push(0);
    return this.peers.push(peerId) - 1;
  }

  /** @param flying Chunks that are asked for now, and of whom. */
  runs(flying: ReadonlyMap<number, string>): { cellChunks: number; runs: CellRun[] } {
    const cellChunks = Math.max(1, Math.ceil(this.total / MAX_CELLS));
    const runs: CellRun[] = [];
    for (let first = 0; first < this.total; first += cellChunks) {
      const cell = this.#cell(first, Math.min(this.total, first + cellChunks), flying);
      const last = runs.at(-1);
      if (last && last.state === cell.state && last.peer === cell.peer) last.cells++;
      else runs.push(cell);
    }
    return { cellChunks, runs };
  }

  #cell(first: number, end: number, flying: ReadonlyMap<number, string>): CellRun {
    let [isWhole, peer]: [boolean, number | undefined] = [true, undefined];
    let isFetched = false;
    for (let index = first; index < end; index++) {
      const origin = this.#origins[index] ?? MISSING;
      const asked = flying.get(index);
      if (origin === MISSING && asked !== undefined) {
        return cellOf("Fetching", this.peerIndex(asked));
      }
      if (origin === MISSING) isWhole = false;
      else if (origin !== KEPT) [isFetched, peer] = [true, origin >= 0 ? origin : peer];
    }
    if (!isWhole) return cellOf("Missing");
    return isFetched ? cellOf("Done", peer) : cellOf("Kept");
  }
}

function cellOf(state: CellState, peer?: number): CellRun {
  return { cells: 1, state, ...(peer === undefined ? {} : { peer }) };
}
