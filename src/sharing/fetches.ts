import { logger, messageOf, toDaemonError } from "../core/mod.ts";
import { ChunkMemories } from "./chunk_memory.ts";
import type { SharingComponents, SharingInit } from "./components.ts";
import type { Download } from "./downloads.ts";
import type { TellLibraryEvent } from "./events.ts";
import { ItemDownload } from "./item_download.ts";
import type { LocalItems } from "./local_items.ts";
import type { MergedManifest } from "./manifest_merge.ts";
import type { OperationGate } from "./operation_gate.ts";
import type { PeerClient } from "./peer_client.ts";
import type { PeerItems } from "./peer_items.ts";
import type { DownloadProgress } from "./progress.ts";
import type { IndexStore } from "./store.ts";
import type { Want } from "./wanted_file.ts";

/** Least time between two reports of progress. */
const PROGRESS_MS = 400;
/** Ended downloads that are remembered. */
export const MAX_ENDED = 64;

/** What {@link Fetches} uses. */
export interface FetchesComponents extends Pick<SharingComponents, "clock" | "files"> {
  readonly client: PeerClient;
  readonly gate: OperationGate;
  readonly peers: PeerItems;
  readonly tell: TellLibraryEvent;
  /** Whether a download that failed has another attempt before it. */
  goesOn(id: string, signal: AbortSignal): boolean;
  local(): LocalItems;
  store(): IndexStore;
}

const log = logger("sharing");

/** The downloads that run, and how the last ones ended. */
export class Fetches {
  readonly #components: FetchesComponents;
  readonly #init: SharingInit;
  readonly #running = new Map<string, ItemDownload>();
  readonly #ended = new Map<string, Download>();
  readonly #memories = new ChunkMemories();

  constructor(components: FetchesComponents, init: SharingInit) {
    this.#components = components;
    this.#init = init;
  }

  /** The download of an item. */
  get(id: string): ItemDownload | undefined {
    return this.#running.get(id);
  }

  /** All of them, the oldest first. */
  list(): ItemDownload[] {
    return [...this.#running.values()];
  }

  /** Those that ended lately, the oldest first. */
  ended(): Download[] {
    return [...this.#ended.values()];
  }

  /** The download of an item, running or ended. */
  download(id: string): Download | undefined {
    const running = this.#running.get(id);
    return running ? this.#downloadOf(running) : this.#ended.get(id);
  }

  /** An item is about to be fetched: how that ended before is the past. */
  begins(id: string): void {
    this.#ended.delete(id);
  }

  /** Nobody wants a download any more that waited for its next attempt. */
  dropped({ id, version, since: sinceMs }: Want): void {
    const reason = `Cannot go on with "${id}": it was cancelled`;
    const download = { id, version, progress: 0, sinceMs };
    this.#end({ ...download, status: "Cancelled", reason, code: "cancelled" });
    const facts = { id, version, reason, code: "cancelled", goes_on: false };
    this.#components.tell("game-download-failed", facts);
  }

  /** Fetches an item to its end, and tells how it goes. */
  async run(id: string, offer: MergedManifest, signal: AbortSignal): Promise<void> {
    const { gate, local, store, peers, tell, files, clock, client } = this.#components;
    const { version } = offer.manifest;
    const report = this.#reporter(id, version);
    const download = new ItemDownload({
      ...{ files, clock, client, local: local(), store: store(), memories: this.#memories },
      peers: () =>
        peers.ids().map((peerId) => ({
          peerId,
          hasVersion: peers.versionOf(peerId, id) === version,
        })),
      onBegin: () => tell("game-download-begin", { id, version }),
      onProgress: (progress) => {
        gate.activities.progress(id, progress);
        report(progress);
      },
      onBadChunk: (peerId) => log.warn("A peer sent wrong bytes", { id, peerId }),
    }, { ...offer, ...this.#init });
    this.#running.set(id, download);
    try {
      await download.run(signal);
    } catch (failure) {
      this.#failed(download, failure, signal);
      throw failure;
    }
    this.#end({ ...this.#downloadOf(download), status: "Completed", progress: 1 });
    tell("game-download-finished", { id, version });
  }

  #failed(download: ItemDownload, failure: unknown, signal: AbortSignal): void {
    const { goesOn, tell } = this.#components;
    const { id, version } = download;
    const [reason, { code }] = [messageOf(failure), toDaemonError(failure)];
    if (goesOn(id, signal)) {
      this.#running.delete(id);
      return tell("game-download-failed", { id, version, reason, code, goes_on: true });
    }
    const status = code === "cancelled" ? "Cancelled" : "Failed";
    this.#end({ ...this.#downloadOf(download), status, reason, code });
    tell("game-download-failed", { id, version, reason, code, goes_on: false });
  }

  #downloadOf({ id, version, sinceMs }: ItemDownload): Download {
    const { doneBytes = 0, totalBytes = 0 } = this.#components.gate.activities.get(id);
    const progress = totalBytes === 0 ? 0 : Math.min(1, doneBytes / totalBytes);
    return { id, version, status: "Running", progress, sinceMs };
  }

  // Before it is told, so that whoever hears of it finds it ended.
  #end(download: Omit<Download, "endedAtMs">): void {
    this.#running.delete(download.id);
    this.#ended.delete(download.id);
    this.#ended.set(download.id, { ...download, endedAtMs: this.#components.clock.now() });
    const [oldest] = this.#ended.keys();
    if (this.#ended.size > MAX_ENDED && oldest !== undefined) this.#ended.delete(oldest);
  }

  #reporter(id: string, version: string): (progress: DownloadProgress) => void {
    const { clock, tell } = this.#components;
    let toldAt = -Infinity;
    return ({ doneBytes, totalBytes, bytesPerSecond, secondsLeft, peers }) => {
      const now = clock.monotonic();
      if (now - toldAt < PROGRESS_MS && doneBytes < totalBytes) return;
      toldAt = now;
      tell("game-download-progress", {
        ...{ id, version, peers, done_bytes: doneBytes, total_bytes: totalBytes },
        bytes_per_second: bytesPerSecond,
        ...(secondsLeft === undefined ? {} : { seconds_left: secondsLeft }),
      });
    };
  }
}
