import type { Catalog } from "./catalog.ts";
import type { LocalItem } from "./local_item.ts";
import type { Game } from "./messages.ts";
import { inSlices } from "./slices.ts";

/** Items that are looked at between two looks at the clock. */
const STEP = 64;

type Names = Awaited<ReturnType<Catalog["names"]>>;

interface Made {
  readonly of: readonly LocalItem[];
  readonly names: Names;
  readonly games: Promise<readonly Game[]>;
}

/** What peers are told of: in the catalog, downloaded, hashed. */
export class ListedGames {
  readonly #catalog: Pick<Catalog, "names">;
  #made: Made | undefined;

  constructor({ catalog }: { catalog: Pick<Catalog, "names"> }) {
    this.#catalog = catalog;
  }

  /** The list; the same one as long as nothing changed. @param items Each is another object once it changed. */
  async of(items: Iterable<LocalItem>): Promise<readonly Game[]> {
    const names = await this.#catalog.names();
    const of = [...items];
    const made = this.#made;
    if (made && made.names === names && isSame(made.of, of)) return await made.games;
    const games = inSlices(listed(of, names));
    this.#made = { of, names, games };
    return await games;
  }
}

function isSame(a: readonly LocalItem[], b: readonly LocalItem[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

function* listed(items: readonly LocalItem[], names: Names): Generator<void, readonly Game[]> {
  const games: Game[] = [];
  for (const [index, item] of items.entries()) {
    if (index % STEP === STEP - 1) yield;
    const { id, version, size, downloaded, installed, isHashed, isTooLong } = item;
    if (!downloaded || !isHashed || isTooLong || names?.has(id) === false) continue;
    games.push({ id, name: names?.get(id) || id, version, size, downloaded, installed });
  }
  return games;
}
