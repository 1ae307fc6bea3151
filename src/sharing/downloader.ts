import { DaemonError, logger, messageOf, pause } from "../core/mod.ts";
import type { Clock } from "../core/mod.ts";
import { ChunkIntake, type ChunkIntakeComponents } from "./chunk_intake.ts";
import type { ChunkWriter } from "./chunk_writer.ts";
import { DownloadRecord, type TransferFacts } from "./download_record.ts";
import { DownloadPlan, MAX_RETRIES } from "./download_plan.ts";
import { type Manifest, sizeOf } from "./manifest.ts";
import { PeerRefusal } from "./messages.ts";
import { CHUNK_BYTES } from "./names.ts";
import { HolderSearch } from "./holder_search.ts";
import { isGone, nobodyLeft } from "./holdings.ts";
import type { PeerClient } from "./peer_client.ts";
import type { Chunk, DownloadPlanInit } from "./planned.ts";
import { type DownloadProgress, ProgressMeter } from "./progress.ts";
import { fetchWholeFile } from "./whole_file.ts";

/** How often a running download tells how far it is, and looks for further peers. */
export const TICK_MS = 300;
/** Without any peer for so long, a round counts as failed; there are three, longer than a cut of a minute. */
export const ROUND_WAIT_MS = 40_000;
/** While so much waits to be verified and written, nobody is asked for more: memory stays small. */
const MOST_SETTLING_BYTES = 2 * CHUNK_BYTES;

/** What {@link Downloader} uses. */
export interface DownloaderComponents extends Pick<ChunkIntakeComponents, "thread"> {
  readonly clock: Pick<Clock, "monotonic">;
  readonly client: Pick<PeerClient, "fetchChunk" | "fetchFile" | "getHave">;
  readonly writer: ChunkWriter;
  /** Peers that speak the protocol now; those that have this version are named. */
  peers(): readonly { readonly peerId: string; readonly hasVersion: boolean }[];
  onProgress(progress: DownloadProgress): void;
  /** Bytes that were fetched and were not what they should be. */
  onBadChunk?(peerId: string): void;
}

/** How {@link Downloader} behaves. */
export interface DownloaderInit extends DownloadPlanInit {
  readonly manifest: Manifest;
  /** Peers of this version and the files they lack. */
  readonly sources: ReadonlyMap<string, ReadonlySet<string>>;
  /** @default {40_000} */
  readonly roundWaitMs?: number;
}

const log = logger("sharing");

/** Fetches what is missing of an item: many peers, a stream a chunk, every chunk verified before it counts. */
export class Downloader {
  readonly plan: DownloadPlan;
  readonly #components: DownloaderComponents;
  readonly #init: DownloaderInit;
  readonly #fileIndex: ReadonlyMap<string, number>;
  readonly #flying = new Map<Chunk, Map<string, AbortController>>();
  readonly #keeping = new Set<Chunk>();
  readonly #tasks = new Map<Promise<void>, Chunk>();
  readonly #holders: HolderSearch;
  readonly #record: DownloadRecord;
  readonly #totalBytes: number;
  readonly #intake: ChunkIntake;
  #doneBytes: number;
  #wake: () => void = () => undefined;
  #failure: unknown;
  readonly #meter: ProgressMeter;
  #lastProgress: number;
  #progress: DownloadProgress | undefined;
  #rounds = 0;
  #settlingBytes = 0;

  constructor(components: DownloaderComponents, init: DownloaderInit) {
    this.#components = components;
    this.#init = init;
    const { manifest, sources } = init;
    this.#fileIndex = new Map(manifest.files.map(({ path }, index) => [path, index]));
    this.plan = new DownloadPlan(
      manifest,
      ({ file, chunk }) => components.writer.has(file, chunk),
      init,
    );
    for (const [peerId, lacks] of sources) {
      const indexes = [...lacks].map((path) => this.#fileIndex.get(path) ?? -1);
      this.plan.setPeer(peerId, { lacks: new Set(indexes) });
    }
    const { plan } = this;
    this.#record = new DownloadRecord(plan);
    this.#holders = new HolderSearch({ ...components, plan }, { manifest, sources });
    this.#intake = new ChunkIntake(components, manifest);
    this.#totalBytes = sizeOf(manifest);
    this.#meter = new ProgressMeter(this.#totalBytes);
    this.#lastProgress = this.#now();
    this.#doneBytes = this.#totalBytes - components.writer.missingBytes;
  }

  /** Content arrived, or waits for the rate limit: no bytes. */
  received(peerId: string, bytes: number): void {
    const now = this.#now();
    this.#lastProgress = now;
    this.#rounds = 0;
    if (bytes > 0) this.plan.received(peerId, bytes, now);
  }

  /** How far it is, chunk by chunk and peer by peer. */
  facts(): TransferFacts {
    const { bytesPerSecond = 0, secondsLeft } = this.#progress ?? {};
    const left = secondsLeft === undefined ? {} : { secondsLeft };
    const progress = { doneBytes: this.#doneBytes, totalBytes: this.#totalBytes };
    return this.#record.facts({ ...progress, bytesPerSecond, ...left }, this.#flying, this.#now());
  }

  /**
   * Fetches everything.
   *
   * @throws {DaemonError} `unavailable` if a chunk could not be had from anybody, `cancelled`, or
   *   what the disk says.
   */
  async run(signal: AbortSignal): Promise<void> {
    const abort = new AbortController();
    const all = AbortSignal.any([signal, abort.signal]);
    const ticking = this.#tick(all);
    try {
      await this.#fetchAll(all);
    } finally {
      abort.abort();
      await Promise.all([...this.#tasks.keys(), ticking]);
    }
    this.#tell();
  }

  async #fetchAll(signal: AbortSignal): Promise<void> {
    const roundWaitMs = this.#init.roundWaitMs ?? ROUND_WAIT_MS;
    this.#lastProgress = this.#now();
    while (this.plan.left > 0) {
      signal.throwIfAborted();
      if (this.#failure) throw this.#failure;
      if (this.plan.exhausted) await this.#fetchWhole(this.plan.exhausted, signal);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      this.#pump(signal);
      if (this.#now() - this.#lastProgress > roundWaitMs) {
        if (++this.#rounds >= MAX_RETRIES) throw nobodyLeft(this.#init.manifest);
        this.#lastProgress = this.#now();
        this.plan.wakeAll();
      } else if (this.#tasks.size === 0 && this.plan.nextWake(this.#now()) !== undefined) {
        // Everybody failed lately; better to ask one of them than nobody.
        await pause(Math.min(1_000, roundWaitMs / 4), signal);
        this.plan.wakeAll();
        continue;
      }
      await Promise.race([promise, pause(this.#tasks.size > 0 ? 250 : 100, signal)]);
    }
    if (this.#failure) throw this.#failure;
  }

  #pump(signal: AbortSignal): void {
    if (this.plan.exhausted || this.#failure || signal.aborted) return;
    if (this.#settlingBytes >= MOST_SETTLING_BYTES) return;
    const now = this.#now();
    const { peers } = this.plan;
    for (let isGiven = true; isGiven;) {
      isGiven = false;
      for (const peerId of peers) {
        const chunk = this.plan.next(peerId, now);
        if (!chunk) continue;
        isGiven = true;
        const task = this.#fetch(chunk, peerId, signal).finally(() => {
          this.#tasks.delete(task);
          this.#wake();
        });
        this.#tasks.set(task, chunk);
      }
    }
  }

  // Never rejects: what goes wrong is noted in the plan, or ends the download.
  async #fetch(chunk: Chunk, peerId: string, signal: AbortSignal): Promise<void> {
    const abort = new AbortController();
    const flying = this.#flying.get(chunk) ?? new Map<string, AbortController>();
    this.#flying.set(chunk, flying.set(peerId, abort));
    try {
      const both = AbortSignal.any([signal, abort.signal]);
      await this.#bring(chunk, peerId, both, () => this.#pump(signal));
    } finally {
      flying.delete(peerId);
      if (flying.size === 0) this.#flying.delete(chunk);
    }
  }

  async #bring(chunk: Chunk, peerId: string, signal: AbortSignal, pump: () => void): Promise<void> {
    try {
      const received = await this.#intake.receive(chunk, peerId, signal, (left) => {
        this.plan.arrived(chunk, peerId, left, this.#now());
        if (left > 0) pump();
      });
      this.#settlingBytes += chunk.length;
      pump();
      await this.#settle(chunk, peerId, received);
    } catch (error) {
      await this.#missed(chunk, peerId, error, signal);
    }
  }

  async #settle(chunk: Chunk, peerId: string, bytes: Uint8Array): Promise<void> {
    try {
      if (!await this.#intake.verify(chunk, bytes)) {
        this.#components.onBadChunk?.(peerId);
        throw new DaemonError("data_loss", "The peer sent other bytes than the manifest names");
      }
      await this.#keep(chunk, peerId, bytes);
    } finally {
      this.#settlingBytes -= chunk.length;
      this.#intake.give(bytes);
    }
  }

  async #missed(chunk: Chunk, peerId: string, error: unknown, signal: AbortSignal): Promise<void> {
    const isOurs = signal.aborted || this.#lostIt(peerId, error);
    const { path } = this.#init.manifest.files[chunk.file] ?? {};
    log.debug("A chunk did not come", { peerId, path, error });
    if (!isOurs) this.#record.failed(peerId, messageOf(error));
    this.plan.failed(chunk, peerId, this.#now(), isOurs || isGone(error));
    if (!isOurs && isGone(error)) await pause(250, signal); // it may come back
  }

  // One that fetches the item itself may have a chunk no more; what it has is asked again.
  #lostIt(peerId: string, error: unknown): boolean {
    const isLost = error instanceof PeerRefusal && error.errorClass === "NotFound" &&
      !this.#init.sources.has(peerId);
    if (isLost) this.plan.setPeer(peerId, { bitmaps: new Map() });
    return isLost;
  }

  async #keep(chunk: Chunk, peerId: string, bytes: Uint8Array): Promise<void> {
    const { writer } = this.#components;
    // Another peer was first, perhaps while this one's bytes were hashed.
    if (writer.has(chunk.file, chunk.chunk) || this.#keeping.has(chunk)) {
      this.plan.failed(chunk, peerId, this.#now(), true);
      return;
    }
    this.#keeping.add(chunk);
    try {
      await writer.write(chunk, bytes);
    } catch (failure) {
      this.#failure ??= failure;
      this.plan.failed(chunk, peerId, this.#now(), true);
      return;
    } finally {
      this.#keeping.delete(chunk);
    }
    this.#doneBytes += chunk.length;
    this.#record.landed(chunk, peerId);
    for (const other of this.plan.done(chunk, peerId, this.#now())) {
      this.#flying.get(chunk)?.get(other)?.abort();
    }
  }

  async #fetchWhole(chunk: Chunk, signal: AbortSignal): Promise<void> {
    await this.#letGo(chunk.file);
    const { client, writer } = this.#components;
    const peerId = await fetchWholeFile(
      { client, writer, onBadChunk: (peerId) => this.#components.onBadChunk?.(peerId) },
      { manifest: this.#init.manifest, chunk, peers: this.plan.peers },
      signal,
    );
    for (const one of this.plan.chunks) {
      if (one.file !== chunk.file || !this.plan.isOpen(one.index)) continue;
      this.plan.done(one, peerId, this.#now());
      this.#record.landed(one, peerId);
      this.#doneBytes += one.length;
    }
    this.plan.forgive();
  }

  // Who sends a chunk of it byte by byte must not hold the file.
  async #letGo(file: number): Promise<void> {
    for (const [chunk, peers] of this.#flying) {
      if (chunk.file === file) { for (const abort of peers.values()) abort.abort(); }
    }
    const ofFile = [...this.#tasks].filter(([, chunk]) => chunk.file === file);
    await Promise.all(ofFile.map(([task]) => task));
  }

  async #tick(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#tell();
      await this.#holders.look(signal).catch((error) => log.debug("No peers found", { error }));
      this.#wake();
      await pause(TICK_MS, signal);
    }
  }

  #tell(): void {
    const progress = this.#meter.read(this.#doneBytes, this.#now());
    this.#progress = { ...progress, peers: this.plan.peers.length };
    this.#components.onProgress(this.#progress);
  }

  #now(): number {
    return this.#components.clock.monotonic();
  }
}
