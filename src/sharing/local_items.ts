import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { logger, messageOf } from "../core/mod.ts";
import type { Catalog } from "./catalog.ts";
import type { Files } from "./files.ts";
import { fromHex, hashFiles } from "./hashing.ts";
import { KeptManifests } from "./kept_manifests.ts";
import { ListedGames } from "./listed_games.ts";
import { type Manifest, sizeOf } from "./manifest.ts";
import type { Game } from "./messages.ts";
import { foundItem, hashGroups, isEqual, isUnfinished } from "./local_item.ts";
import { type LocalItem, localItem, warnOfLength, warnOfSkipped } from "./local_item.ts";
import { isItemId } from "./names.ts";
import { completeFile, type ServedFile } from "./served_file.ts";
import { type FoundFile, type FoundItem, itemFolders, scanItem, twinFolder } from "./scanner.ts";
import { inSlices } from "./slices.ts";
import type { IndexStore } from "./store.ts";

/** What {@link LocalItems} uses. */
export interface LocalItemsComponents {
  readonly store: IndexStore;
  readonly files: Files;
  readonly catalog: Catalog;
  /** Whether an operation changes the item now. */
  isBusy(id: string): boolean;
  /** Told when something that a list shows changed. */
  onChanged(): void;
}

/** What the last scan did. */
export interface ScanResult {
  readonly items: number;
  readonly changed: number;
  readonly ms: number;
}

const log = logger("sharing");

/** The library's folder: scans it, hashes what changed in the background, and knows the manifests. */
export class LocalItems {
  readonly dir: string;
  /** Hashed files since start. */
  hashed = 0;
  readonly #components: LocalItemsComponents;
  readonly #items = new Map<string, LocalItem>();
  readonly #manifests: KeptManifests;
  readonly #listed: ListedGames;
  readonly #queue = new Set<string>();
  readonly #abort = new AbortController();
  #hashing: Promise<void> | undefined;
  #scanning: Promise<ScanResult> | undefined;
  #next: Promise<ScanResult> | undefined;

  constructor(components: LocalItemsComponents, init: { dir: string }) {
    this.#components = components;
    this.#manifests = new KeptManifests(components);
    this.#listed = new ListedGames(components);
    this.dir = init.dir;
  }

  /** Makes the folder if need be and lists what the index knows. */
  open(): void {
    mkdirSync(this.dir, { recursive: true });
    const known = this.#components.store.items();
    for (const item of known) this.#items.set(item.id, localItem(item, []));
  }

  /** Ends scans and hashing. */
  async close(): Promise<void> {
    this.#abort.abort();
    this.#queue.clear();
    await (this.#next ?? this.#scanning)?.catch(() => undefined);
    await this.#hashing;
  }

  /** Folder of an item. */
  rootOf(id: string): string {
    return join(this.dir, id);
  }

  /** Every item, by id. */
  list(): LocalItem[] {
    return [...this.#items.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** One item. */
  get(id: string): LocalItem | undefined {
    return this.#items.get(id);
  }

  /** Items whose folder shows that something was not finished. */
  unfinished(): Promise<string[]> {
    const { dir } = this;
    return inSlices((function* () {
      const found: string[] = [];
      for (const id of itemFolders(dir)) {
        if (isUnfinished(join(dir, id))) found.push(id);
        yield;
      }
      return found;
    })());
  }

  /** Looks at every item; an unchanged one is not read. After the scan that runs, if one does. */
  scanAll(): Promise<ScanResult> {
    const next = () => (this.#next = undefined, this.scanAll());
    if (this.#scanning) return this.#next ??= this.#scanning.then(next, next);
    return this.#scanning = this.#scanAll().finally(() => this.#scanning = undefined);
  }

  /** Looks at one item. */
  async scan(id: string): Promise<void> {
    if (!isItemId(id) || this.#components.isBusy(id)) return;
    // On some file systems any spelling opens an item's folder.
    const isTwin = !this.#items.has(id) && twinFolder(this.dir, id) !== undefined;
    const known = this.#components.store.item(id);
    const found = isTwin ? undefined : await inSlices(scanItem(this.rootOf(id), id, known));
    if (this.#abort.signal.aborted || this.#components.isBusy(id)) return;
    if (this.#take(id, found)) this.#components.onChanged();
    this.#hashSoon();
  }

  /** Waits until everything found so far is hashed. */
  async settled(): Promise<void> {
    while (this.#hashing) await this.#hashing;
  }

  /** What peers are told of: in the catalog, downloaded, hashed. */
  async games(): Promise<readonly Game[]> {
    return await this.#listed.of(this.#items.values());
  }

  /** The manifest of an item that is hashed. */
  async manifest(id: string): Promise<Manifest | undefined> {
    const item = this.#items.get(id);
    if (!item?.downloaded || !item.isHashed || !await this.#components.catalog.has(id)) {
      return undefined;
    }
    return await this.#manifests.get(id, item.version);
  }

  /** The same for peers: none that they would refuse. */
  async announced(id: string): Promise<Manifest | undefined> {
    return this.#items.get(id)?.isTooLong ? undefined : await this.manifest(id);
  }

  /** A file of an announced item. */
  async file(id: string, path: string): Promise<ServedFile | undefined> {
    const item = this.#items.get(id);
    if (!item?.downloaded || !item.isHashed) return undefined;
    const row = this.#components.store.file(id, path);
    if (!row || !await this.#components.catalog.has(id)) return undefined;
    const entry = { path, size: row.size, sha256: "", chunks: [] };
    return completeFile(this.rootOf(id), entry, row.mtimeMs);
  }

  /** Notes an item that was fetched and verified, before its sentinel: nothing of it is read again. */
  fetched(manifest: Manifest, mtimes: ReadonlyMap<string, number>, sentinelMtimeMs: number): void {
    const { store } = this.#components;
    const { id, version, files } = manifest;
    const installed = this.#items.get(id)?.installed ?? false;
    store.together(() => {
      store.removeItem(id);
      for (const { path, size, chunks } of files) {
        const mtimeMs = mtimes.get(path) ?? sentinelMtimeMs;
        store.putFile(id, { path, size, mtimeMs, chunks: fromHex(chunks.join("")) });
      }
      store.putItem({
        ...{ id, version, sentinelMtimeMs, isFetched: true, isHashed: true, installed },
        ...{ size: sizeOf(manifest), files: files.length },
      });
    });
  }

  /** The sentinel of an item that was {@link fetched} is there: it is served from now on. */
  committed(id: string): void {
    const { store } = this.#components;
    store.removeParts(id);
    this.#manifests.forget(id);
    const item = store.item(id);
    if (item) this.#items.set(id, localItem(item, []));
  }

  async #scanAll(): Promise<ScanResult> {
    this.#abort.signal.throwIfAborted();
    const begun = performance.now();
    const result = await inSlices(this.#scanEach(), this.#abort.signal);
    if (result.changed > 0) this.#components.onChanged();
    this.#hashSoon();
    return { ...result, ms: performance.now() - begun };
  }

  *#scanEach(): Generator<void, { items: number; changed: number }> {
    const { store, isBusy } = this.#components;
    const known = new Map(store.items().map((item) => [item.id, item]));
    const ids = new Set(itemFolders(this.dir));
    let changed = 0;
    for (const id of ids) {
      if (isBusy(id)) continue;
      try {
        const found = yield* scanItem(this.rootOf(id), id, known.get(id));
        if (!isBusy(id) && this.#take(id, found)) changed++;
      } catch (error) {
        log.warn("An item cannot be looked at and stays as it was", { id, error });
      }
    }
    for (const id of this.#items.keys()) {
      if (!ids.has(id) && !isBusy(id) && this.#take(id, undefined)) changed++;
    }
    return { items: ids.size, changed };
  }

  // What was found becomes what is known. Returns whether a list would show a difference.
  #take(id: string, found: FoundItem | undefined): boolean {
    const { store } = this.#components;
    const before = this.#items.get(id);
    const known = store.item(id);
    if (!found) {
      if (known) store.together(() => store.removeItem(id));
      this.#manifests.forget(id);
      return this.#items.delete(id);
    }
    const { version, skipped } = found;
    const isFetched = known?.isFetched === true && known.version === version;
    const rows = store.fileFacts(id);
    const files = isFetched ? found.files.filter(({ path }) => rows.has(path)) : found.files;
    const isSame = (file: FoundFile) => {
      const row = rows.get(file.path);
      return row?.size === file.size && row.mtimeMs === file.mtimeMs;
    };
    const isHashed = version !== undefined && files.every(isSame) && files.length === rows.size;
    const item = foundItem(found, files, { isFetched, isHashed });
    if (!isHashed) this.#manifests.forget(id);
    if (version !== undefined && !isHashed) this.#queue.add(id);
    const next = localItem(item, skipped);
    warnOfSkipped(before, next);
    warnOfLength(before, next);
    this.#items.set(id, next);
    if (known && isEqual(localItem(known, []), localItem(item, []))) {
      return !before || !isEqual(before, next);
    }
    store.together(() => {
      if (version === undefined) store.removeItem(id);
      store.putItem(item);
    });
    return true;
  }

  #hashSoon(): void {
    if (this.#hashing || this.#queue.size === 0 || this.#abort.signal.aborted) return;
    this.#hashing = this.#hashQueue().finally(() => {
      this.#hashing = undefined;
      this.#hashSoon();
    });
  }

  async #hashQueue(): Promise<void> {
    for (let [id] = this.#queue; id !== undefined; [id] = this.#queue) {
      this.#queue.delete(id);
      try {
        if (!this.#components.isBusy(id) && await this.#hash(id)) this.#components.onChanged();
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        log.warn("An item cannot be read and is not shared", { id, reason: messageOf(error) });
      }
    }
  }

  // Returns whether the item can be announced now.
  async #hash(id: string): Promise<boolean> {
    const { store, files } = this.#components;
    const { signal } = this.#abort;
    const found = await inSlices(scanItem(this.rootOf(id), id, store.item(id)), signal);
    const item = store.item(id);
    if (found?.version === undefined || !item) return false;
    const rows = new Map(store.files(id).map((row) => [row.path, row]));
    const wanted = item.isFetched ? found.files.filter(({ path }) => rows.has(path)) : found.files;
    const changed = wanted.filter(({ path, size, mtimeMs }) => {
      const row = rows.get(path);
      rows.delete(path);
      return row?.size !== size || row.mtimeMs !== mtimeMs;
    });
    for (const group of hashGroups(changed)) {
      const hashes = await hashFiles(files, this.rootOf(id), group, signal);
      // What changes while it is read is found by the next scan.
      const isSame = store.item(id) === item && !this.#components.isBusy(id);
      if (!isSame || hashes.includes(undefined)) return false;
      this.hashed += group.length;
      store.together(() =>
        group.forEach((file, index) =>
          store.putFile(id, { ...file, chunks: hashes[index] ?? new Uint8Array() })
        )
      );
    }
    store.together(() => [...rows.keys()].forEach((path) => store.removeFile(id, path)));
    const again = await inSlices(scanItem(this.rootOf(id), id, store.item(id)), signal);
    return this.#components.isBusy(id) ? false : this.#take(id, again);
  }
}
