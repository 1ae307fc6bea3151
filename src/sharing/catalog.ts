import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { DaemonError, messageOf, once, systemCode, writeDurably } from "../core/mod.ts";
import { isItemId } from "./names.ts";

const CatalogJson = once(() =>
  z.object({
    items: z.array(z.object({
      id: z.string().refine(isItemId, { error: "expected the id of an item" }),
      name: z.string().max(1_024),
    })).max(1_000_000),
  })
);

/** Which items are announced, served and fetched, and what they are called; `config/catalog.json`. */
export class Catalog {
  readonly #path: string;
  #names: Promise<Map<string, string> | undefined> | undefined;

  /** @param folder The daemon's `config` folder. */
  constructor(folder: string) {
    this.#path = join(folder, "catalog.json");
  }

  /**
   * Whether an item is in the catalog; without the file every valid id is. Read on first use.
   *
   * @throws {DaemonError} `data_loss` if the file is damaged, naming it.
   */
  async has(id: string): Promise<boolean> {
    if (!isItemId(id)) return false;
    return (await this.#load())?.has(id) ?? true;
  }

  /** What an item is called; its id when nothing else is known. */
  async nameOf(id: string): Promise<string> {
    return (await this.#load())?.get(id) || id;
  }

  /** All items and what they are called; undefined where every valid id is one. Another object once it changed. */
  names(): Promise<ReadonlyMap<string, string> | undefined> {
    return this.#load();
  }

  /** Puts an item in; without the file there is nothing to do. */
  async add(id: string, name: string = id): Promise<void> {
    this.forget(); // its owner may have edited the file since
    const names = await this.#load();
    if (!names || names.has(id)) return;
    const more = new Map(names).set(id, name);
    this.#names = Promise.resolve(more);
    const items = [...more].map(([id, name]) => ({ id, name }));
    await writeDurably(this.#path, `${JSON.stringify({ items }, null, 2)}\n`);
  }

  /** Reads the file again at the next use. */
  forget(): void {
    this.#names = undefined;
  }

  #load(): Promise<Map<string, string> | undefined> {
    const loading = this.#names ?? this.#read();
    this.#names = loading;
    loading.catch(() => this.#names = undefined); // a mended file is read again
    return loading;
  }

  async #read(): Promise<Map<string, string> | undefined> {
    try {
      const json: unknown = JSON.parse(await readFile(this.#path, "utf8"));
      const { items } = CatalogJson().parse(json);
      return new Map(items.map(({ id, name }) => [id, name]));
    } catch (cause) {
      if (systemCode(cause) === "ENOENT") return undefined;
      const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : messageOf(cause);
      throw new DaemonError(
        "data_loss",
        `Cannot read ${this.#path}: ${reason.replaceAll("\n", " ")}; mend it, or move it away to ` +
          "share every item",
        { cause },
      );
    }
  }
}
