import { chunkHashes, fileHash } from "./hashing.ts";
import type { Manifest } from "./manifest.ts";
import { inSlices } from "./slices.ts";
import type { IndexStore } from "./store.ts";

/** Manifests kept in memory. */
const KEPT = 4;
/** Rows read from the index between two turns of the event loop. */
const ROWS_AT_ONCE = 100;

/** Manifests of our own items, made of the index; those asked for last stay in memory. */
export class KeptManifests {
  readonly #store: IndexStore;
  readonly #kept = new Map<string, Promise<Manifest>>();

  constructor({ store }: { store: IndexStore }) {
    this.#store = store;
  }

  /** The manifest of an item that is hashed. */
  async get(id: string, version: string): Promise<Manifest> {
    const known = this.#kept.get(id) ?? this.#read(id, version);
    this.#kept.delete(id);
    this.#kept.set(id, known);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT && oldest) this.#kept.delete(oldest);
    try {
      return await known;
    } catch (failure) {
      if (this.#kept.get(id) === known) this.#kept.delete(id);
      throw failure;
    }
  }

  /** The item changed. */
  forget(id: string): void {
    this.#kept.delete(id);
  }

  async #read(id: string, version: string): Promise<Manifest> {
    const store = this.#store;
    const files = await inSlices((function* () {
      const files: Manifest["files"][number][] = [];
      for (let rows = store.files(id, "", ROWS_AT_ONCE); rows.length > 0;) {
        for (const { path, size, chunks } of rows) {
          files.push({ path, size, sha256: fileHash(chunks), chunks: chunkHashes(chunks) });
        }
        yield;
        rows = store.files(id, rows.at(-1)?.path ?? "", ROWS_AT_ONCE);
      }
      return files;
    })());
    return { id, version, files };
  }
}
