/** What is being fetched now, for those who show it. */
import type { CellRun } from "./chunk_map.ts";
import type { Fetches } from "./fetches.ts";
import { CHUNK_BYTES } from "./names.ts";
import type { Resumption, WaitingDownload } from "./resumption.ts";
import type { IndexStore } from "./store.ts";

/** Most transfers that are told of at a time. */
export const MAX_TRANSFERS = 64;

/** A peer that something is fetched from. */
export interface TransferPeer {
  readonly peerId: string;
  readonly bytesPerSecond: number;
  /** Chunks that it brought. */
  readonly chunks: number;
  /** Chunks it is asked for now. */
  readonly streams: number;
  readonly status: "Fetching" | "Idle" | "Resting";
  /** It still fetches the item itself. */
  readonly isPartial: boolean;
  /** Its last failure. */
  readonly problem?: string;
}

/** One download. */
export interface Transfer {
  readonly id: string;
  readonly version: string;
  /** `Waiting`: cut short by a stop of the daemon; it goes on by itself. */
  readonly status: "Running" | "Waiting";
  readonly bytesTotal: number;
  readonly bytesDone: number;
  readonly bytesPerSecond: number;
  readonly secondsLeft?: number;
  readonly chunkBytes: number;
  readonly chunksTotal: number;
  readonly chunksDone: number;
  readonly peers: readonly TransferPeer[];
  /** Empty while it waits. */
  readonly map: { readonly cellChunks: number; readonly runs: readonly CellRun[] };
  readonly problem?: string;
  /** Of one that waits, milliseconds since 1970. */
  readonly retryAtMs?: number;
}

/** Every download, running or waiting, the oldest first. */
export function listTransfers(
  { fetches, resumption, store }: { fetches: Fetches; resumption: Resumption; store: IndexStore },
): { transfers: Transfer[]; more: number } {
  const running = fetches.list();
  const waiting = resumption.waiting();
  const transfers = [
    ...running.slice(0, MAX_TRANSFERS).map((download) => download.transfer()),
    ...waiting.slice(0, Math.max(0, MAX_TRANSFERS - running.length))
      .map((download) => waitingTransfer(download, store)),
  ];
  return { transfers, more: running.length + waiting.length - transfers.length };
}

function waitingTransfer(
  { want, problem, retryAtMs }: WaitingDownload,
  store: IndexStore,
): Transfer {
  const { id, version, size, chunks } = want;
  const isFetched = want.installs > 0;
  const chunksDone = isFetched ? chunks : Math.min(chunks, store.countParts(id));
  return {
    ...{ id, version, status: "Waiting", problem, retryAtMs },
    ...{ bytesTotal: size, bytesPerSecond: 0, chunksTotal: chunks, chunksDone },
    chunkBytes: CHUNK_BYTES,
    bytesDone: chunks === 0 ? 0 : Math.round(size * chunksDone / chunks),
    ...{ peers: [], map: { cellChunks: 1, runs: [] } },
  };
}
