import { join } from "node:path";
import { DaemonError, guard, logger, messageOf, type Service, type Timer } from "../core/mod.ts";
import { Actions } from "./actions.ts";
import type { SharingComponents, SharingInit } from "./components.ts";
import { LIBRARY_EVENTS, type TellLibraryEvent } from "./events.ts";
import type { ItemState } from "./item_activities.ts";
import type { ItemDownload } from "./item_download.ts";
import { LocalItems, type ScanResult } from "./local_items.ts";
import { type ListedItem, mergeItems } from "./merged_items.ts";
import { Monitor } from "./monitor.ts";
import { OperationGate } from "./operation_gate.ts";
import { PeerClient } from "./peer_client.ts";
import { PeerItems } from "./peer_items.ts";
import { PeerServer, type ServedCounts, type ServedItems } from "./peer_server.ts";
import { LIBRARY_PROTOCOL } from "./messages.ts";
import { RateLimits } from "./rate_limit.ts";
import { readSettings, writeSettings } from "./settings.ts";
import { IndexStore } from "./store.ts";
import { Installs } from "./transaction.ts";

/** Changes of the folder within this time are told once: ten thousand items come one by one. */
const NEWS_MS = 100;
const log = logger("sharing");

/** One folder that is open: its index, its items, its watch. */
interface OpenFolder {
  readonly store: IndexStore;
  readonly local: LocalItems;
  readonly monitor: Monitor;
  /** Items whose intent log cannot be read. */
  readonly blocked: Map<string, string>;
}

/** The shared library: what we have, what peers have, and how it gets from there to here. */
export class Sharing implements Service {
  readonly name = "sharing";
  readonly actions: Actions;
  readonly peers: PeerItems;
  readonly #components: SharingComponents;
  readonly #init: SharingInit;
  readonly #gate = new OperationGate((id) => this.#operationEnded(id));
  readonly #downloads = new Map<string, ItemDownload>();
  readonly #client: PeerClient;
  readonly #server: PeerServer;
  readonly #installs: Installs;
  #folder: OpenFolder | undefined;
  #stops: (() => void)[] = [];
  #news: Timer | undefined;

  constructor(components: SharingComponents, init: SharingInit) {
    this.#components = components;
    this.#init = init;
    const { clock, streams, files, limits } = components;
    const rates = { total: () => limits().downloadTotal, perPeer: () => limits().downloadPerPeer };
    this.#client = new PeerClient({
      ...{ streams, clock, downloads: new RateLimits(clock, rates) },
      onBytes: (peerId, count) => {
        for (const download of this.#downloads.values()) download.received(peerId, count);
      },
    }, init);
    this.#server = new PeerServer({
      ...{ streams, files, items: this.#served() },
      uploads: new RateLimits(clock, {
        total: () => limits().uploadTotal,
        perPeer: () => limits().uploadPerPeer,
      }),
      mayAsk: (peerId) => components.mayShareWith(peerId),
    });
    this.#installs = new Installs(components);
    this.peers = this.#createPeers();
    this.actions = new Actions({
      ...components,
      ...{ client: this.#client, gate: this.#gate, peers: this.peers, installs: this.#installs },
      ...{ downloads: this.#downloads, tell: this.#tell },
      local: () => this.#open().local,
      store: () => this.#open().store,
      checkBlocked: (id) => this.#checkBlocked(id),
      unblock: (id) => this.#open().blocked.delete(id),
    }, init);
  }

  async start(): Promise<void> {
    const { dir = this.#init.defaultDir } = await readSettings(this.#init.dataDir);
    await this.#openFolder(dir);
    const { streams, events } = this.#components;
    await this.#server.start();
    this.peers.start();
    const onSpeaker = streams.onSpeaker(LIBRARY_PROTOCOL, (peerId) => this.#speaks(peerId));
    const onLeft = events.listen(({ topic, payload }) => {
      if (topic === "peer.disconnected") this.peers.left(String(payload["peerId"]));
    });
    this.#stops = [onSpeaker, onLeft];
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
    this.peers.stop();
    await this.#server.stop();
    await this.#gate.cancelAll();
    await this.#closeFolder();
  }

  /** The library's folder. */
  get dir(): string {
    return this.#open().local.dir;
  }

  /** What was served since start. */
  get served(): Readonly<ServedCounts> {
    return this.#server.counts;
  }

  /** Files hashed since the folder was opened. */
  get hashed(): number {
    return this.#open().local.hashed;
  }

  /** Peers' newest items and our own, also those that only exist here. */
  async items(): Promise<ListedItem[]> {
    const { local, blocked } = this.#open();
    return await mergeItems({
      local: local.list(),
      remote: this.peers.all(),
      catalog: this.#components.catalog,
      activityOf: (id) => this.#gate.activityOf(id),
      problemOf: (id) => blocked.get(id),
    });
  }

  /** What an item is busy with, again after each change, until it is busy no more. */
  watch(id: string, signal: AbortSignal): AsyncIterable<ItemState> {
    return this.#gate.activities.watch(id, signal);
  }

  /** Looks at every item now. */
  async scan(): Promise<ScanResult> {
    const { local, monitor } = this.#open();
    this.#components.catalog.forget();
    const result = await local.scanAll();
    monitor.refresh();
    return result;
  }

  /** Waits until everything that was found is hashed. */
  async settled(): Promise<void> {
    await this.#open().local.settled();
  }

  /**
   * Moves to another folder; nothing in either is changed.
   *
   * @throws {DaemonError} `invalid_argument` or `not_found` if it can be none, `failed_precondition`
   *   while an operation runs; the folder before stays.
   */
  async setDir(path: string): Promise<void> {
    const dir = await this.#components.checkDir(path);
    const [busy] = this.#gate.list();
    if (busy) {
      throw new DaemonError(
        "failed_precondition",
        `Cannot change the library's folder while "${busy.id}" is ${busy.activity}`,
      );
    }
    const before = this.#open().local.dir;
    await this.#closeFolder();
    try {
      await this.#openFolder(dir);
      await writeSettings(this.#init.dataDir, { dir });
    } catch (failure) {
      await this.#closeFolder();
      await this.#openFolder(before);
      throw failure;
    }
    this.#tell("local-library-changed");
  }

  async #openFolder(dir: string): Promise<void> {
    const { files, catalog } = this.#components;
    const store = IndexStore.open(join(this.#init.dataDir, "library_index.db"), dir);
    const local = new LocalItems({
      ...{ store, files, catalog },
      isBusy: (id) => this.#gate.activityOf(id) !== undefined,
      onChanged: () => this.#changedSoon(),
    }, { dir });
    const monitor = new Monitor({
      clock: this.#components.clock,
      ...(this.#components.watch ? { watch: this.#components.watch } : {}),
      items: () => local.list().map(({ id }) => id),
      scan: (id) => local.scan(id),
      scanAll: () => local.scanAll(),
    }, { dir });
    try {
      local.open();
      this.#folder = { store, local, monitor, blocked: new Map() };
      await this.#recover(this.#folder);
    } catch (cause) {
      store.close();
      this.#folder = undefined;
      if (cause instanceof DaemonError) throw cause;
      throw new DaemonError("unavailable", `Cannot use ${dir}: ${messageOf(cause)}`, { cause });
    }
    monitor.start();
    guard("look at the library", () => local.scanAll());
  }

  #changedSoon(): void {
    this.#news ??= this.#components.clock.after(NEWS_MS, () => {
      this.#news = undefined;
      this.#tell("local-library-changed");
      this.#tell("games-list-updated");
      this.#folder?.monitor.refresh();
    });
  }

  async #closeFolder(): Promise<void> {
    this.#news?.cancel();
    this.#news = undefined;
    const folder = this.#folder;
    this.#folder = undefined;
    folder?.monitor.stop();
    await folder?.local.close();
    folder?.store.close();
  }

  // Before anything is served or changed: whatever a stop left half done is put right.
  async #recover({ local, blocked }: OpenFolder): Promise<void> {
    for (const id of await local.unfinished()) {
      try {
        await this.#installs.recover(local.rootOf(id));
      } catch (failure) {
        blocked.set(id, messageOf(failure));
        log.error("An item is blocked until it is repaired", { id, reason: messageOf(failure) });
        this.#tell("runtime-failed", { component: "recovery", id, reason: messageOf(failure) });
      }
    }
  }

  #checkBlocked(id: string): void {
    const reason = this.#open().blocked.get(id);
    if (reason === undefined) return;
    throw new DaemonError("failed_precondition", `Blocked: cannot change "${id}": ${reason}`);
  }

  #open(): OpenFolder {
    if (this.#folder) return this.#folder;
    throw new DaemonError("unavailable", "Cannot use the shared library: it is not running");
  }

  #operationEnded(id: string): void {
    const folder = this.#folder;
    if (!folder) return;
    guard("look at an item", async () => {
      await folder.local.scan(id);
      this.#tell("games-list-updated");
    });
  }

  #speaks(peerId: string): void {
    if (this.#components.mayShareWith(peerId)) this.peers.joined(peerId);
  }

  #createPeers(): PeerItems {
    const count = () => this.#tell("peer-count-updated", { count: this.peers.count });
    return new PeerItems({
      ...{ clock: this.#components.clock, client: this.#client },
      onJoined: (peerId) => {
        this.#tell("peer-discovered", { peer_id: peerId });
        this.#tell("peer-connected", { peer_id: peerId });
        count();
      },
      onLeft: (peerId) => {
        this.#tell("peer-disconnected", { peer_id: peerId });
        count();
        this.#tell("games-list-updated");
      },
      onListed: () => this.#tell("games-list-updated"),
    });
  }

  #served(): ServedItems {
    return {
      games: async () => await this.#folder?.local.games() ?? [],
      manifest: async (id) => await this.#folder?.local.manifest(id),
      have: async (id) => {
        if (!await this.#components.catalog.has(id)) return undefined;
        return this.#downloads.get(id)?.have();
      },
      file: async (id, path) => {
        const download = this.#downloads.get(id);
        if (!download) return await this.#folder?.local.file(id, path);
        return await this.#components.catalog.has(id) ? download.file(path) : undefined;
      },
      changed: (id) => guard("look at an item", () => this.#folder?.local.scan(id)),
    };
  }

  readonly #tell: TellLibraryEvent = (name, fields = {}) => {
    this.#components.events.publish(`library.${name}`, { event: LIBRARY_EVENTS[name], ...fields });
  };
}
