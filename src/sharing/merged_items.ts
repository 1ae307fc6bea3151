import type { Catalog } from "./catalog.ts";
import { type LocalItem, twinProblem } from "./local_item.ts";
import { TOO_LONG } from "./manifest_length.ts";
import { compareVersions, twinKey } from "./names.ts";
import type { ItemActivity } from "./operation_gate.ts";
import type { LatestItem } from "./peer_items.ts";

/** Most files of an item that are told of one by one as not shared. */
export const MAX_TOLD = 20;

/** An item as a list shows it. */
export interface ListedItem {
  readonly id: string;
  readonly name: string;
  /** The newest version that anybody has; empty for one that nobody has complete. */
  readonly version: string;
  /** Of the newest version. */
  readonly size: number;
  /** Here. */
  readonly downloaded: boolean;
  readonly installed: boolean;
  readonly localVersion?: string;
  /** Peers that have the newest version. */
  readonly peers: number;
  /** Peers have a newer version than we. */
  readonly canUpdate: boolean;
  readonly activity?: ItemActivity | "waiting";
  /** Why nothing can be done with it. */
  readonly problem?: string;
  /** What is in its folder and peers do not get. */
  readonly notShared?: {
    /** At most a thousand are counted. */
    readonly count: number;
    /** The first {@link MAX_TOLD}. */
    readonly files: LocalItem["skipped"];
  };
  /** Why peers are not told of what is here. */
  readonly notListed?: string;
}

/** What a list is made of. */
export interface MergeInput {
  readonly local: readonly LocalItem[];
  readonly remote: ReadonlyMap<string, LatestItem>;
  /** Items that are worked at, also those that nobody has any more. */
  readonly busy: readonly string[];
  readonly catalog: Pick<Catalog, "has" | "nameOf">;
  activityOf(id: string): ListedItem["activity"];
  problemOf(id: string): string | undefined;
}

/** One list of what peers have and what is here, by id; items outside the catalog are left out. */
export async function mergeItems(input: MergeInput): Promise<ListedItem[]> {
  const locals = new Map(input.local.map((item) => [item.id, item]));
  const twins = new Map(input.local.map(({ id }) => [twinKey(id), id]));
  const items: ListedItem[] = [];
  for (const id of new Set([...locals.keys(), ...input.remote.keys(), ...input.busy])) {
    if (!await input.catalog.has(id)) continue;
    const twin = locals.has(id) ? undefined : twins.get(twinKey(id));
    items.push(await merged(id, locals.get(id), twin, input));
  }
  return items.sort((a, b) => (a.id < b.id ? -1 : 1));
}

async function merged(
  id: string,
  local: LocalItem | undefined,
  twin: string | undefined,
  input: MergeInput,
): Promise<ListedItem> {
  const remote = input.remote.get(id);
  const own = local?.downloaded ? local : undefined;
  const order = !own ? 1 : !remote ? -1 : compareVersions(remote.version, own.version);
  const newest = remote && order >= 0 ? remote : own ?? remote;
  const name = await input.catalog.nameOf(id);
  const activity = input.activityOf(id);
  const problem = input.problemOf(id) ?? (twin === undefined ? undefined : twinProblem(twin));
  return {
    id,
    name: name === id ? remote?.name || id : name,
    version: newest?.version ?? "",
    size: newest?.size ?? local?.size ?? 0,
    downloaded: own !== undefined,
    installed: local?.installed ?? false,
    ...(own ? { localVersion: own.version } : {}),
    peers: remote && newest?.version === remote.version ? remote.peers.length : 0,
    canUpdate: own !== undefined && remote !== undefined && order > 0,
    ...(activity ? { activity } : {}),
    ...(problem === undefined ? {} : { problem }),
    ...(own && own.skipped.length > 0 ? { notShared: notSharedOf(own) } : {}),
    ...(own?.isTooLong ? { notListed: TOO_LONG } : {}),
  };
}

function notSharedOf({ skipped }: LocalItem): ListedItem["notShared"] & object {
  return { count: skipped.length, files: skipped.slice(0, MAX_TOLD) };
}
