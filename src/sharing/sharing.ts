import {
  DaemonError,
  guard,
  logger,
  type Service,
  type Timer,
  toDaemonError,
} from "../core/mod.ts";
import { Actions } from "./actions.ts";
import type { SharingComponents, SharingInit } from "./components.ts";
import { LIBRARY_EVENTS, type TellLibraryEvent } from "./events.ts";
import { Downloads } from "./downloads.ts";
import type { ItemState } from "./item_activities.ts";
import { Fetches } from "./fetches.ts";
import type { ScanResult } from "./local_items.ts";
import { type ListedItem, mergeItems } from "./merged_items.ts";
import { Offers } from "./offers.ts";
import { OpenFolder } from "./open_folder.ts";
import { OperationGate } from "./operation_gate.ts";
import { PeerClient } from "./peer_client.ts";
import { PeerItems } from "./peer_items.ts";
import { PeerServer, type ServedCounts, type ServedItems } from "./peer_server.ts";
import { LIBRARY_PROTOCOL } from "./messages.ts";
import { RateLimits } from "./rate_limit.ts";
import { readSettings, writeSettings } from "./settings.ts";
import { Installs } from "./transaction.ts";
import { listTransfers } from "./transfers.ts";
import { checkWritable } from "./writable.ts";

/** Longest wait for the manifests of an item that is taken up again. */
const ASK_MS = 120_000;
/** Changes of the folder within this time are told once: ten thousand items come one by one. */
const NEWS_MS = 100;
const log = logger("sharing");

/** The shared library: what we have, what peers have, and how it gets from there to here. */
export class Sharing implements Service {
  readonly name = "sharing";
  readonly actions: Actions;
  readonly downloads: Downloads;
  readonly peers: PeerItems;
  readonly #components: SharingComponents;
  readonly #init: SharingInit;
  readonly #gate = new OperationGate((id) => this.#operationEnded(id));
  readonly #fetches: Fetches;
  readonly #client: PeerClient;
  readonly #server: PeerServer;
  readonly #installs: Installs;
  #folder: OpenFolder | undefined;
  /** Why there is none. */
  #problem = "it is not running";
  #stops: (() => void)[] = [];
  #news: Timer | undefined;

  constructor(components: SharingComponents, init: SharingInit) {
    this.#components = components;
    this.#init = init;
    const { clock, streams, files, limits } = components;
    const rates = { total: () => limits().downloadTotal, perPeer: () => limits().downloadPerPeer };
    this.#client = new PeerClient({
      ...{ streams, clock, downloads: new RateLimits(clock, rates) },
      onBytes: (peerId, id, count) => {
        if (count > 0) this.peers.heard(peerId);
        this.#fetches.get(id)?.received(peerId, count);
      },
    }, init);
    this.#server = new PeerServer({
      ...{ streams, clock, files, items: this.#served() },
      uploads: new RateLimits(clock, {
        total: () => limits().uploadTotal,
        perPeer: () => limits().uploadPerPeer,
      }),
      mayAsk: (peerId) => components.mayShareWith(peerId),
    });
    this.#installs = new Installs(components);
    this.peers = this.#createPeers();
    const shared = {
      ...{ client: this.#client, gate: this.#gate, peers: this.peers, tell: this.#tell },
      local: () => this.#open().local,
      store: () => this.#open().store,
    };
    const goesOn = (id: string, signal: AbortSignal) =>
      this.#folder?.resumption.goesOn(id, signal) ?? false;
    this.#fetches = new Fetches({ ...shared, clock, files, goesOn }, init);
    this.downloads = new Downloads({ fetches: this.#fetches, folder: () => this.#folder });
    this.actions = new Actions({
      ...{ ...components, ...shared, installs: this.#installs, fetches: this.#fetches },
      offers: new Offers({ ...shared, clock }),
      resumption: () => this.#open().resumption,
      checkBlocked: (id) => this.#checkBlocked(id),
      unblock: (id) => this.#open().blocked.delete(id),
    });
  }

  async start(): Promise<void> {
    const { dir = this.#init.defaultDir } = await readSettings(this.#init.dataDir);
    await this.#openFolder(dir).catch((error) => {
      // The daemon's other parts work on a full disk, and beside a daemon that has the folder.
      const { code, message } = toDaemonError(error);
      if (code !== "resource_exhausted" && code !== "failed_precondition") throw error;
      this.#problem = message;
      log.warn("The shared library is off until the next start", { reason: message });
    });
    const { streams, events } = this.#components;
    await this.#server.start();
    this.peers.start();
    const onSpeaker = streams.onSpeaker(LIBRARY_PROTOCOL, (peerId) => this.peers.speaks(peerId));
    const onLeft = events.listen(({ topic, payload }) => {
      if (topic === "peer.disconnected") this.peers.left(String(payload["peerId"]));
    });
    this.#stops = [onSpeaker, onLeft];
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
    this.#folder?.resumption.stop();
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
    const { local, blocked, resumption } = this.#open();
    const waiting = resumption.waiting().map(({ want }) => want.id);
    return await mergeItems({
      busy: [...this.#gate.list().map(({ id }) => id), ...waiting],
      local: local.list(),
      remote: this.peers.all(),
      catalog: this.#components.catalog,
      activityOf: (id) =>
        this.#gate.activityOf(id) ?? (resumption.isWaiting(id) ? "waiting" : undefined),
      problemOf: (id) => blocked.get(id),
    });
  }

  /** What an item is busy with, again after each change, until it is busy no more. */
  watch(id: string, signal: AbortSignal): AsyncIterable<ItemState> {
    return this.#gate.activities.watch(id, signal);
  }

  /** What is being fetched, or waits for that. */
  transfers(): ReturnType<typeof listTransfers> {
    const { resumption, store } = this.#open();
    return listTransfers({ resumption, store, fetches: this.#fetches });
  }

  /** Looks at every item now. */
  async scan(): Promise<ScanResult> {
    const { local } = this.#open();
    this.#components.catalog.forget();
    return await local.scanAll();
  }

  /** Waits until everything that was found is hashed. */
  async settled(): Promise<void> {
    await this.#open().local.settled();
  }

  /**
   * Moves to another folder; nothing in either is changed.
   *
   * @throws {DaemonError} `invalid_argument`, `not_found` or `permission_denied` if it can be none,
   *   `failed_precondition` while an operation runs; the folder before stays.
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
    await checkWritable(this.#components.files, dir);
    const before = this.#folder?.local.dir; // none where the library is off
    await this.#closeFolder();
    try {
      await this.#openFolder(dir);
      await writeSettings(this.#init.dataDir, { dir });
    } catch (failure) {
      await this.#closeFolder();
      if (before !== undefined) await this.#openFolder(before);
      throw failure;
    }
    this.#tell("local-library-changed");
  }

  async #openFolder(dir: string): Promise<void> {
    const { clock, files, catalog, watch } = this.#components;
    const folder = await OpenFolder.open({
      ...{ clock, files, catalog, gate: this.#gate, installs: this.#installs, peers: this.peers },
      ...{ ...(watch ? { watch } : {}), tell: this.#tell },
      onChanged: () => this.#changedSoon(),
      goOn: (want, signal) =>
        this.actions.goOn(want, AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)])),
    }, { dir, dataDir: this.#init.dataDir });
    this.#folder = folder;
    folder.start();
  }

  #changedSoon(): void {
    this.#news ??= this.#components.clock.after(NEWS_MS, () => {
      this.#news = undefined;
      this.#tell("local-library-changed");
      this.#tell("games-list-updated");
    });
  }

  async #closeFolder(): Promise<void> {
    this.#news?.cancel();
    this.#news = undefined;
    const folder = this.#folder;
    this.#folder = undefined;
    await folder?.close();
  }

  #checkBlocked(id: string): void {
    const reason = this.#open().blocked.get(id);
    if (reason === undefined) return;
    throw new DaemonError("failed_precondition", `Blocked: cannot change "${id}": ${reason}`);
  }

  #open(): OpenFolder {
    if (this.#folder) return this.#folder;
    throw new DaemonError("unavailable", `Cannot use the shared library: ${this.#problem}`);
  }

  #operationEnded(id: string): void {
    const folder = this.#folder;
    if (!folder) return;
    guard("look at an item", async () => {
      await folder.local.scan(id);
      this.#tell("games-list-updated");
    });
  }

  #createPeers(): PeerItems {
    const count = () => this.#tell("peer-count-updated", { count: this.peers.count });
    return new PeerItems({
      ...{ clock: this.#components.clock, client: this.#client },
      mayShareWith: (peerId) => this.#components.mayShareWith(peerId),
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
      onListed: () => {
        this.#tell("games-list-updated");
        this.#folder?.resumption.peersChanged();
      },
    });
  }

  #served(): ServedItems {
    return {
      games: async () => await this.#folder?.local.games() ?? [],
      manifest: async (id) => await this.#folder?.local.announced(id),
      have: async (id) => {
        if (!await this.#components.catalog.has(id)) return undefined;
        return await this.#fetches.get(id)?.have();
      },
      file: async (id, path) => {
        const download = this.#fetches.get(id);
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
