import { logger, messageOf } from "../core/mod.ts";
import type { SharingComponents, SharingInit } from "./components.ts";
import type { TellLibraryEvent } from "./events.ts";
import { ItemDownload } from "./item_download.ts";
import type { LocalItems } from "./local_items.ts";
import type { MergedManifest } from "./manifest_merge.ts";
import type { OperationGate } from "./operation_gate.ts";
import type { PeerClient } from "./peer_client.ts";
import type { PeerItems } from "./peer_items.ts";
import type { DownloadProgress } from "./progress.ts";
import type { IndexStore } from "./store.ts";

/** Least time between two reports of progress. */
const PROGRESS_MS = 400;

/** What {@link Fetches} uses. */
export interface FetchesComponents extends Pick<SharingComponents, "clock" | "files"> {
  readonly client: PeerClient;
  readonly gate: OperationGate;
  readonly peers: PeerItems;
  readonly tell: TellLibraryEvent;
  local(): LocalItems;
  store(): IndexStore;
}

const log = logger("sharing");

/** The downloads that run. */
export class Fetches {
  readonly #components: FetchesComponents;
  readonly #init: SharingInit;
  readonly #running = new Map<string, ItemDownload>();

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

  /** Content arrived. */
  received(peerId: string, count: number): void {
    for (const download of this.#running.values()) download.received(peerId, count);
  }

  /** Fetches an item to its end, and tells how it goes. */
  async run(id: string, offer: MergedManifest, signal: AbortSignal): Promise<void> {
    const { gate, local, store, peers, tell, files, clock, client } = this.#components;
    const { version } = offer.manifest;
    const report = this.#reporter(id, version);
    const download = new ItemDownload({
      ...{ files, clock, client, local: local(), store: store() },
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
      tell("game-download-finished", { id, version });
    } catch (failure) {
      tell("game-download-failed", { id, reason: messageOf(failure) });
      throw failure;
    } finally {
      this.#running.delete(id);
    }
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
