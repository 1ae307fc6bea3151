/** One library folder while it is open. */
import { realpathSync } from "node:fs";
import { join } from "node:path";
import { DaemonError, guard, logger, messageOf } from "../core/mod.ts";
import { sweepAdditions } from "./add_item.ts";
import type { SharingComponents } from "./components.ts";
import type { TellLibraryEvent } from "./events.ts";
import { FolderLock } from "./folder_lock.ts";
import { LocalItems } from "./local_items.ts";
import { Monitor } from "./monitor.ts";
import { compareVersions } from "./names.ts";
import type { OperationGate } from "./operation_gate.ts";
import type { PeerItems } from "./peer_items.ts";
import { Resumption } from "./resumption.ts";
import { IndexStore } from "./store.ts";
import type { Installs } from "./transaction.ts";
import { type Want, WantedFile } from "./wanted_file.ts";

const log = logger("sharing");

/** What {@link OpenFolder} uses. */
export interface OpenFolderComponents
  extends Pick<SharingComponents, "clock" | "files" | "catalog" | "watch"> {
  readonly gate: OperationGate;
  readonly installs: Installs;
  readonly peers: PeerItems;
  readonly tell: TellLibraryEvent;
  /** Told when something that a list shows changed. */
  onChanged(): void;
  /** Takes up what is wanted; resolves at its end. */
  goOn(want: Want, signal: AbortSignal): Promise<void>;
}

/** Its index, its items, its watch, and what is still to come into it. */
export class OpenFolder {
  /** Items whose intent log cannot be read, and why. */
  readonly blocked = new Map<string, string>();

  readonly #lock: Disposable;

  private constructor(
    lock: Disposable,
    readonly store: IndexStore,
    readonly local: LocalItems,
    readonly monitor: Monitor,
    readonly resumption: Resumption,
  ) {
    this.#lock = lock;
  }

  /**
   * Opens a folder. Before anything is served or changed, whatever a stop left half done is put right.
   *
   * @param init.dataDir Holds the index and what is wanted.
   * @throws {DaemonError} `unavailable`, or `failed_precondition` if another daemon has the folder.
   */
  static async open(
    components: OpenFolderComponents,
    { dir, dataDir }: { dir: string; dataDir: string },
  ): Promise<OpenFolder> {
    const opened: { lock?: Disposable; store?: IndexStore } = {};
    try {
      const lock = opened.lock = new FolderLock(dir);
      const folder = realpathSync(dir); // it is the same one by any name
      const store = opened.store = IndexStore.open(join(dataDir, "library_index.db"), folder);
      const file = await WantedFile.open(join(dataDir, "wanted_items.json"), folder);
      const open = OpenFolder.#assemble(components, { lock, store, file, dir });
      open.local.open();
      await open.#recover(components);
      return open;
    } catch (cause) {
      opened.store?.close();
      opened.lock?.[Symbol.dispose]();
      if (cause instanceof DaemonError) throw cause;
      throw new DaemonError("unavailable", `Cannot use ${dir}: ${messageOf(cause)}`, { cause });
    }
  }

  /** Begins to watch, to scan, and to take up what was cut short. */
  start(): void {
    guard("look at the library", async () => {
      await this.monitor.start();
      await this.local.scanAll();
    });
    this.resumption.start();
  }

  /** Ends everything. */
  async close(): Promise<void> {
    await this.monitor.stop();
    this.resumption.stop();
    await this.local.close();
    this.store.close();
    this.#lock[Symbol.dispose]();
  }

  static #assemble(
    components: OpenFolderComponents,
    { lock, store, file, dir }: {
      lock: Disposable;
      store: IndexStore;
      file: WantedFile;
      dir: string;
    },
  ): OpenFolder {
    const { clock, files, catalog, watch, gate, peers } = components;
    const local = new LocalItems({
      ...{ store, files, catalog },
      isBusy: (id) => gate.activityOf(id) !== undefined,
      onChanged: () => components.onChanged(),
    }, { dir });
    const monitor = new Monitor({
      ...{ clock, ...(watch ? { watch } : {}) },
      scan: (id) => local.scan(id),
      scanAll: () => local.scanAll(),
    }, { dir });
    const resumption = new Resumption({
      ...{ clock, file, peers, activities: gate.activities },
      isHere: ({ id, version }) => {
        const item = local.get(id);
        return item?.downloaded === true && compareVersions(item.version, version) >= 0;
      },
      goOn: (want, signal) => components.goOn(want, signal),
    });
    return new OpenFolder(lock, store, local, monitor, resumption);
  }

  async #recover({ installs, files, tell }: OpenFolderComponents): Promise<void> {
    await sweepAdditions(files, this.local.dir).catch((error) =>
      log.warn("What is left of an addition cannot be removed", { reason: messageOf(error) })
    );
    for (const id of await this.local.unfinished()) {
      try {
        await installs.recover(this.local.rootOf(id));
      } catch (failure) {
        const remedy = `; mend that, then run "almenad library repair ${id}"`;
        const reason = messageOf(failure) + (failure instanceof DaemonError ? "" : remedy);
        this.blocked.set(id, reason);
        log.error("An item is blocked until it is repaired", { id, reason });
        tell("runtime-failed", { component: "recovery", id, reason });
      }
    }
  }
}
