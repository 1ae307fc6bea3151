import { DaemonError, logger, messageOf } from "../core/mod.ts";
import { addItem, type AddItemInput } from "./add_item.ts";
import type { SharingComponents, SharingInit } from "./components.ts";
import type { TellLibraryEvent } from "./events.ts";
import { ItemDownload } from "./item_download.ts";
import { type LocalItem, unknownItem } from "./local_item.ts";
import type { ActivityProgress } from "./item_activities.ts";
import type { LocalItems } from "./local_items.ts";
import type { Manifest } from "./manifest.ts";
import { type MergedManifest, mergeManifests, type PeerManifest } from "./manifest_merge.ts";
import { checkItemId } from "./names.ts";
import type { OperationGate } from "./operation_gate.ts";
import type { PeerClient } from "./peer_client.ts";
import type { PeerItems } from "./peer_items.ts";
import type { IndexStore } from "./store.ts";
import type { Installs } from "./transaction.ts";
import { checkSelection } from "./selection.ts";
import { verifyItem, type VerifyResult } from "./verify.ts";

/** Peers that are asked for a manifest at a time. */
const MAX_ASKED = 16;
/** A merged manifest is used for a download for so long. */
const OFFER_MS = 60_000;
/** Least time between two reports of progress. */
const PROGRESS_MS = 400;

/** What {@link Actions} uses. */
export interface ActionsComponents extends SharingComponents {
  readonly client: PeerClient;
  readonly gate: OperationGate;
  readonly peers: PeerItems;
  readonly installs: Installs;
  readonly downloads: Map<string, ItemDownload>;
  readonly tell: TellLibraryEvent;
  local(): LocalItems;
  store(): IndexStore;
  /** @throws {DaemonError} `failed_precondition` for an item that is blocked. */
  checkBlocked(id: string): void;
  unblock(id: string): void;
}

/** Work that has begun; the events of the library tell how it goes. */
export interface Begun {
  readonly id: string;
  /** Its end; rejects if it failed. */
  readonly done: Promise<void>;
}

const log = logger("sharing");

/** The commands of contract 5.6 that concern one item. */
export class Actions {
  readonly #components: ActionsComponents;
  readonly #init: SharingInit;
  readonly #offers = new Map<string, { offer: MergedManifest; at: number }>();

  constructor(components: ActionsComponents, init: SharingInit) {
    this.#components = components;
    this.#init = init;
  }

  /**
   * What an item consists of: as it is here, else as peers have it.
   *
   * @throws {DaemonError} `not_found` if neither has it.
   */
  async get(id: string, signal: AbortSignal): Promise<Manifest> {
    await this.#check(id);
    const own = await this.#components.local().manifest(id);
    if (!own) return await this.fetchLatest(id, signal);
    this.#components.tell("got-game-files", { id, version: own.version, files: own.files.length });
    return own;
  }

  /** What peers' newest version consists of, whatever is here. @throws {DaemonError} `not_found`. */
  async fetchLatest(id: string, signal: AbortSignal): Promise<Manifest> {
    await this.#check(id);
    const { manifest } = await this.#offer(id, signal);
    const { version, files } = manifest;
    this.#components.tell("got-game-files", { id, version, files: files.length });
    return manifest;
  }

  /**
   * Begins to fetch the newest version of an item and, unless told otherwise, installs it.
   *
   * @param options.files The paths of {@link fetchLatest}, as a check that nothing changed since.
   * @throws {DaemonError} `not_found`, `failed_precondition` (Busy), `invalid_argument`.
   */
  async download(
    id: string,
    options: { files?: readonly string[] | undefined; install?: boolean; signal: AbortSignal },
  ): Promise<Begun> {
    await this.#check(id);
    this.#components.checkBlocked(id);
    const known = this.#offers.get(id);
    const isFresh = known && this.#components.clock.monotonic() - known.at < OFFER_MS &&
      known.offer.manifest.version === this.#components.peers.latest(id)?.version;
    this.#refuseBusy(id);
    const offer = isFresh ? known.offer : await this.#offer(id, options.signal);
    checkSelection(offer.manifest, options.files);
    return await this.#begin(id, "downloading", async (signal, goOn) => {
      await this.#download(id, offer, signal);
      if (options.install === false) return;
      const isUpdate = this.#components.local().get(id)?.installed ?? false;
      goOn(isUpdate ? "updating" : "installing");
      await this.#install(id, offer.manifest.version, signal);
    });
  }

  /** Begins to install what is downloaded, or to replace what is installed. */
  async install(id: string): Promise<Begun> {
    const item = await this.#item(id);
    if (!item.downloaded) {
      throw new DaemonError(
        "failed_precondition",
        `Cannot install "${id}": it is not downloaded; run "almenad library get ${id}"`,
      );
    }
    const activity = item.installed ? "updating" : "installing";
    return await this.#begin(id, activity, (signal) => this.#install(id, item.version, signal));
  }

  /** Begins to remove what is installed; what is downloaded stays. */
  async uninstall(id: string): Promise<Begun> {
    const item = await this.#item(id);
    if (!item.installed) {
      throw new DaemonError("failed_precondition", `Cannot uninstall "${id}": it is not installed`);
    }
    return await this.#begin(
      id,
      "uninstalling",
      () =>
        this.#reported("game-uninstall", id, async () => {
          await this.#components.installs.uninstall(this.#components.local().rootOf(id));
        }),
    );
  }

  /** Ends the operation of an item. @returns Whether there was one. */
  async cancel(id: string): Promise<boolean> {
    return await this.#components.gate.cancel(checkItemId(id));
  }

  /** Copies or moves a folder into the library, under an id. @returns The id. */
  async add(input: AddItemInput, signal: AbortSignal): Promise<string> {
    const { files, catalog, gate } = this.#components;
    const local = this.#components.local();
    const folder = await this.#components.checkDir(input.folder);
    const added = await addItem({ files, gate, local }, { ...input, folder }, signal);
    await catalog.add(added);
    await local.scan(added);
    return added;
  }

  /** Forgets an intent log that cannot be read and puts the item right. */
  async repair(id: string): Promise<void> {
    await this.#item(id);
    await this.#components.gate.run(id, "repairing", async () => {
      await this.#components.installs.repair(this.#components.local().rootOf(id));
      this.#components.unblock(id);
    });
  }

  /** Begins to read every file of an item and to compare it with its hashes. */
  async verify(id: string): Promise<{ readonly done: Promise<VerifyResult> }> {
    await this.#item(id);
    this.#refuseBusy(id);
    const { files, gate, local, store } = this.#components;
    const root = local().rootOf(id);
    const done = gate.run(id, "verifying", (signal) => {
      const onProgress = (progress: ActivityProgress) => gate.activities.progress(id, progress);
      return verifyItem({ files, store: store(), onProgress }, { id, root, signal });
    });
    done.catch((error) => log.info("An item was not verified", { id, reason: messageOf(error) }));
    return { done };
  }

  async #download(id: string, offer: MergedManifest, signal: AbortSignal): Promise<void> {
    const { downloads, gate, local, store, peers, tell } = this.#components;
    const { version } = offer.manifest;
    let toldAt = -Infinity;
    const download = new ItemDownload({
      ...{ files: this.#components.files, clock: this.#components.clock },
      ...{ client: this.#components.client, local: local(), store: store() },
      peers: () =>
        peers.ids().map((peerId) => ({
          peerId,
          hasVersion: peers.versionOf(peerId, id) === version,
        })),
      onBegin: () => tell("game-download-begin", { id, version }),
      onProgress: (progress) => {
        gate.activities.progress(id, progress);
        const { doneBytes, totalBytes, bytesPerSecond, secondsLeft, peers } = progress;
        const now = this.#components.clock.monotonic();
        if (now - toldAt < PROGRESS_MS && doneBytes < totalBytes) return;
        toldAt = now;
        tell("game-download-progress", {
          ...{ id, version, peers, done_bytes: doneBytes, total_bytes: totalBytes },
          bytes_per_second: bytesPerSecond,
          ...(secondsLeft === undefined ? {} : { seconds_left: secondsLeft }),
        });
      },
      onBadChunk: (peerId) => log.warn("A peer sent wrong bytes", { id, peerId }),
    }, { ...offer, ...this.#init });
    downloads.set(id, download);
    try {
      await download.run(signal);
      tell("game-download-finished", { id, version });
    } catch (failure) {
      tell("game-download-failed", { id, reason: messageOf(failure) });
      throw failure;
    } finally {
      downloads.delete(id);
    }
  }

  async #install(id: string, version: string, signal: AbortSignal): Promise<void> {
    const { gate, installs, local } = this.#components;
    const onProgress = ({ bytes }: { bytes: number }) =>
      gate.activities.progress(id, { doneBytes: bytes });
    const init = { version, signal, onProgress };
    await this.#reported("game-install", id, () => installs.install(local().rootOf(id), init));
  }

  async #reported(
    what: "game-install" | "game-uninstall",
    id: string,
    work: () => Promise<void>,
  ): Promise<void> {
    const { tell } = this.#components;
    tell(`${what}-begin`, { id });
    try {
      await work();
      tell(`${what}-finished`, { id });
    } catch (failure) {
      tell(`${what}-failed`, { id, reason: messageOf(failure) });
      throw failure;
    }
  }

  async #begin(
    id: string,
    activity: Parameters<OperationGate["run"]>[1],
    work: Parameters<OperationGate["run"]>[2],
  ): Promise<Begun> {
    this.#components.checkBlocked(id);
    this.#refuseBusy(id);
    const done = this.#components.gate.run(id, activity, work).then(() => undefined);
    done.catch((error) =>
      log.info("An operation failed", { id, activity, reason: messageOf(error) })
    );
    return await Promise.resolve({ id, done });
  }

  #refuseBusy(id: string): void {
    const activity = this.#components.gate.activityOf(id);
    if (!activity) return;
    const remedy = "wait for its end or cancel it";
    throw new DaemonError("failed_precondition", `Busy: "${id}" is ${activity}; ${remedy}`);
  }

  async #offer(id: string, signal: AbortSignal): Promise<MergedManifest> {
    const { peers, client, tell } = this.#components;
    if (!peers.latest(id)) await peers.refresh();
    const holders = peers.latest(id)?.peers.slice(0, MAX_ASKED) ?? [];
    const manifests: PeerManifest[] = [];
    await Promise.all(holders.map(async (peerId) => {
      try {
        manifests.push({ peerId, manifest: await client.getGame(peerId, id, signal) });
      } catch (error) {
        log.debug("A peer gave no manifest", { id, peerId, error });
      }
    }));
    signal.throwIfAborted();
    if (manifests.length === 0) {
      tell("no-peers-have-game", { id });
      throw new DaemonError("not_found", `Cannot get "${id}": no peer that can be reached has it`);
    }
    manifests.sort((a, b) => (a.peerId < b.peerId ? -1 : 1));
    const offer = await mergeManifests(manifests, signal);
    this.#offers.clear(); // one at a time: manifests may be large
    this.#offers.set(id, { offer, at: this.#components.clock.monotonic() });
    return offer;
  }

  async #check(id: string): Promise<void> {
    if (await this.#components.catalog.has(checkItemId(id))) return;
    throw new DaemonError("not_found", `Cannot find "${id}": it is not in the catalog`);
  }

  async #item(id: string): Promise<LocalItem> {
    await this.#check(id);
    const local = this.#components.local();
    await local.scan(id);
    const item = local.get(id);
    if (item) return item;
    throw unknownItem(id);
  }
}
