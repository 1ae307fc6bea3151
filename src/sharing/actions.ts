import { DaemonError, logger, messageOf } from "../core/mod.ts";
import { addItem, type AddItemInput } from "./add_item.ts";
import type { SharingComponents } from "./components.ts";
import type { TellLibraryEvent } from "./events.ts";
import type { Fetches } from "./fetches.ts";
import { readIntent } from "./intent.ts";
import { type LocalItem, twinProblem, unknownItem } from "./local_item.ts";
import type { ActivityProgress } from "./item_activities.ts";
import type { LocalItems } from "./local_items.ts";
import type { Manifest } from "./manifest.ts";
import { checkItemId, compareVersions, twinKey } from "./names.ts";
import type { Offers } from "./offers.ts";
import type { OperationGate } from "./operation_gate.ts";
import type { PeerItems } from "./peer_items.ts";
import { MAX_INSTALLS, type Resumption } from "./resumption.ts";
import type { IndexStore } from "./store.ts";
import type { Installs } from "./transaction.ts";
import { twinFolder } from "./scanner.ts";
import { checkSelection } from "./selection.ts";
import { verifyItem, type VerifyResult } from "./verify.ts";
import type { Want } from "./wanted_file.ts";

/** What {@link Actions} uses. */
export interface ActionsComponents extends SharingComponents {
  readonly gate: OperationGate;
  readonly peers: Pick<PeerItems, "latest">;
  readonly offers: Offers;
  readonly fetches: Fetches;
  readonly installs: Installs;
  readonly tell: TellLibraryEvent;
  /** What goes on after a stop. */
  resumption(): Resumption;
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

  constructor(components: ActionsComponents) {
    this.#components = components;
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
    const { manifest } = await this.#components.offers.ask(id, signal);
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
    const { offers, fetches } = this.#components;
    const known = offers.fresh(id);
    this.#components.gate.checkFree(id);
    const offer = known ?? await offers.ask(id, options.signal);
    checkSelection(offer.manifest, options.files);
    this.#refuseTwin(id);
    options.signal.throwIfAborted();
    const { version } = offer.manifest;
    const want = wanted(offer.manifest, options.install !== false, this.#components.clock.now());
    return await this.#begin(
      id,
      "downloading",
      (signal, goOn) => {
        fetches.begins(id);
        return this.#components.resumption().keep(want, signal, async (note) => {
          await fetches.run(id, offer, signal);
          if (!want.install) return;
          await note({ ...want, installs: 1 });
          goOn(this.#components.local().get(id)?.installed ? "updating" : "installing");
          await this.#install(id, version, signal);
        });
      },
    );
  }

  /** Takes up what an earlier run of the daemon left undone; resolves at its end. */
  async goOn(want: Want, signal: AbortSignal): Promise<void> {
    const { id, version } = want;
    const item = this.#components.local().get(id);
    if (!item?.downloaded || compareVersions(item.version, version) < 0) {
      return await (await this.download(id, { install: want.install, signal })).done;
    }
    const { files, local } = this.#components;
    const intent = await readIntent(files, local().rootOf(id));
    const isInstalled = item.installed && intent?.installed_version === item.version;
    if (!want.install || isInstalled) return void await this.#components.resumption().drop(id);
    const next = { ...want, installs: Math.min(MAX_INSTALLS, want.installs + 1) };
    const begun = await this.#begin(
      id,
      item.installed ? "updating" : "installing",
      (signal) =>
        this.#components.resumption().keep(
          next,
          signal,
          () => this.#install(id, item.version, signal),
        ),
    );
    await begun.done;
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

  /**
   * Ends the operation of an item.
   *
   * @returns Whether there was one.
   * @throws {DaemonError} `not_found` for an item that is neither here nor at a peer.
   */
  async cancel(id: string): Promise<boolean> {
    const { gate, local, peers, resumption, fetches } = this.#components;
    const waiting = await resumption().drop(checkItemId(id));
    if (waiting?.installs === 0) fetches.dropped(waiting);
    if (await gate.cancel(id) || waiting) return true;
    if (peers.latest(id) || gate.activities.get(id).activity) return false;
    await local().scan(id); // as soon after a start as this may be
    if (local().get(id)) return false;
    throw unknownItem(id);
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
    this.#components.gate.checkFree(id);
    const { files, gate, local, store } = this.#components;
    const root = local().rootOf(id);
    const done = gate.run(id, "verifying", (signal) => {
      const onProgress = (progress: ActivityProgress) => gate.activities.progress(id, progress);
      return verifyItem({ files, store: store(), onProgress }, { id, root, signal });
    });
    done.catch((error) => log.info("An item was not verified", { id, reason: messageOf(error) }));
    return { done };
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
    this.#components.gate.checkFree(id);
    const done = this.#components.gate.run(id, activity, work).then(() => undefined);
    done.catch((error) =>
      log.info("An operation failed", { id, activity, reason: messageOf(error) })
    );
    return await Promise.resolve({ id, done });
  }

  #refuseTwin(id: string): void {
    const { local, resumption } = this.#components;
    const waiting = resumption().waiting().map(({ want }) => want.id);
    const isTwin = (other: string) => other !== id && twinKey(other) === twinKey(id);
    const twin = twinFolder(local().dir, id) ??
      (local().get(id) ? undefined : waiting.find(isTwin));
    if (twin === undefined) return;
    throw new DaemonError("failed_precondition", `Cannot get "${id}": ${twinProblem(twin)}`);
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

function wanted({ id, version, files }: Manifest, install: boolean, since: number): Want {
  let [size, chunks] = [0, 0];
  for (const file of files) {
    size += file.size;
    chunks += file.chunks.length;
  }
  return { id, version, install, installs: 0, since, size, chunks };
}
