/** The shared library, contract 5.6: what is found on the LAN, fetched, installed. */
import * as z from "zod";
import { action, once, query } from "../core/mod.ts";
import type { ListedItem } from "../sharing/mod.ts";
import type { Components } from "./components.ts";

const ItemId = once(() => z.string().min(1).max(128).describe("Id of an item"));
const Item = once(() =>
  z.object({
    id: z.string(),
    name: z.string(),
    version: z.string().describe("The newest version anybody has"),
    size: z.number().describe("Bytes of that version"),
    downloaded: z.boolean(),
    installed: z.boolean(),
    local_version: z.string().optional(),
    peers: z.number().describe("Peers that have the newest version"),
    can_update: z.boolean(),
    activity: z.string().optional().describe("What it is busy with"),
    problem: z.string().optional().describe("Why nothing can be done with it"),
    not_shared: z.object({
      count: z.number().describe("At most 1000 are counted"),
      files: z.array(z.object({ path: z.string(), reason: z.string() })),
    }).optional().describe(
      "Files in its folder that peers do not get: the first 3, or 20 when its id is asked for",
    ),
    not_listed: z.string().optional().describe("Why peers are not told of it"),
  })
);
const Files = once(() =>
  z.object({
    id: z.string(),
    version: z.string(),
    size: z.number(),
    files: z.array(z.object({ path: z.string(), size: z.number(), sha256: z.string() })),
  })
);
const Started = once(() => z.object({ id: z.string(), started: z.boolean() }));
type Uses = Pick<Components, "sharing">;

/** What reads or writes a whole item takes as long as that takes. */
const WHOLE_ITEM_MS = 24 * 3_600_000;
/** Manifests of several peers, each of up to a minute. */
const MANIFESTS_MS = 150_000;

/** Files that are told of an item in a list of many. */
const LISTED_FILES = 3;

/** Peers' items and our own: ListGames. */
export const listItems = query({
  name: "library.items",
  summary: "Items of the shared library: what peers have and what is here",
  positional: ["search"],
  input: () =>
    z.strictObject({
      search: z.string().max(256).optional().describe("Part of the name or id"),
      id: ItemId().optional(),
    }),
  output: () => z.object({ dir: z.string(), peers: z.number(), items: z.array(Item()) }),
  run: async ({ search = "", id }, { sharing }: Uses) => {
    const wanted = search.toLowerCase();
    const items = (await sharing.items()).filter((item) =>
      (id === undefined || item.id === id) &&
      `${item.id}\n${item.name}`.toLowerCase().includes(wanted)
    );
    return {
      dir: sharing.dir,
      peers: sharing.peers.count,
      items: items.map(({ localVersion, canUpdate, notShared, notListed, ...item }) => ({
        ...item,
        can_update: canUpdate,
        ...(notListed === undefined ? {} : { not_listed: notListed }),
        ...(localVersion === undefined ? {} : { local_version: localVersion }),
        ...(notShared
          ? { not_shared: notSharedOutput(notShared, id === undefined ? LISTED_FILES : undefined) }
          : {}),
      })),
    };
  },
});

/** The files of an item: GetGame. */
export const getItem = query({
  name: "library.item",
  callTimeoutMs: MANIFESTS_MS,
  summary: "The files of an item, as it is here, else as peers have it",
  positional: ["id"],
  input: () => z.strictObject({ id: ItemId() }),
  output: Files,
  run: async ({ id }, { sharing }: Uses, { signal }) =>
    filesOutput(await sharing.actions.get(id, signal)),
});

/** The files of the newest version: FetchLatestFromPeers. */
export const fetchLatest = query({
  name: "library.latest",
  callTimeoutMs: MANIFESTS_MS,
  summary: "The files of the newest version that peers have, whatever is here",
  positional: ["id"],
  input: () => z.strictObject({ id: ItemId() }),
  output: Files,
  run: async ({ id }, { sharing }: Uses, { signal }) =>
    filesOutput(await sharing.actions.fetchLatest(id, signal)),
});

/** Fetches and installs: DownloadGameFiles. */
export const downloadItem = action({
  name: "library.download",
  callTimeoutMs: MANIFESTS_MS,
  summary: "Begin to fetch the newest version of an item from its peers, then install it",
  positional: ["id"],
  input: () =>
    z.strictObject({
      id: ItemId(),
      files: z.array(z.string()).max(200_000).optional()
        .describe("The files that library.latest named; refused if they are others now"),
      install: z.boolean().default(true).describe("Install it once it is here"),
    }),
  output: Started,
  run: async ({ id, files, install }, { sharing }: Uses, { signal }) => {
    await sharing.actions.download(id, { files, install, signal });
    return { id, started: true };
  },
});

/** Installs: InstallGame. */
export const installItem = action({
  name: "library.install",
  summary: "Begin to install what is downloaded, or to replace what is installed",
  positional: ["id"],
  input: () => z.strictObject({ id: ItemId() }),
  output: Started,
  run: async ({ id }, { sharing }: Uses) => {
    await sharing.actions.install(id);
    return { id, started: true };
  },
});

/** Uninstalls: UninstallGame. */
export const uninstallItem = action({
  name: "library.uninstall",
  summary: "Begin to remove what is installed; what is downloaded stays",
  positional: ["id"],
  input: () => z.strictObject({ id: ItemId() }),
  output: Started,
  run: async ({ id }, { sharing }: Uses) => {
    await sharing.actions.uninstall(id);
    return { id, started: true };
  },
});

/** Ends an operation: CancelDownload. */
export const cancelItem = action({
  name: "library.cancel",
  summary: "End what an item is busy with; verified chunks are kept",
  positional: ["id"],
  input: () => z.strictObject({ id: ItemId() }),
  output: () => z.object({ id: z.string(), was_busy: z.boolean() }),
  run: async ({ id }, { sharing }: Uses) => ({
    id,
    was_busy: await sharing.actions.cancel(id),
  }),
});

/** Moves to another folder: SetGameDir. */
export const setLibraryDir = action({
  name: "library.set_dir",
  summary: "Use another folder as the shared library; no file is moved",
  positional: ["path"],
  input: () => z.strictObject({ path: z.string().max(4_096) }),
  output: () => z.object({ dir: z.string() }),
  run: async ({ path }, { sharing }: Uses) => {
    await sharing.setDir(path);
    return { dir: sharing.dir };
  },
});

/** Counts: GetPeerCount. */
export const libraryPeers = query({
  name: "library.peer_count",
  summary: "Peers that share a library now",
  input: () => z.strictObject({}),
  output: () => z.object({ count: z.number(), peer_ids: z.array(z.string()) }),
  run: (_input, { sharing }: Uses) => ({
    count: sharing.peers.count,
    peer_ids: sharing.peers.ids(),
  }),
});

/** Connects to a peer by its address: Connect. */
export const connectLibraryPeer = action({
  name: "library.connect",
  summary: "Connect to a peer that mDNS does not find",
  positional: ["addr"],
  input: () => z.strictObject({ addr: z.string().max(1_024) }),
  output: () => z.object({ peer_id: z.string() }),
  run: async ({ addr }, { links }: Pick<Components, "links">, { signal }) => ({
    peer_id: await links.connect(addr, signal),
  }),
});

/** Looks at the folder. */
export const scanLibrary = action({
  name: "library.scan",
  callTimeoutMs: WHOLE_ITEM_MS,
  summary: "Look at every item of the library now",
  input: () =>
    z.strictObject({
      wait: z.boolean().default(false).describe("Until everything is hashed and announced"),
    }),
  output: () => z.object({ items: z.number(), changed: z.number(), ms: z.number() }),
  run: async ({ wait }, { sharing }: Uses) => {
    const result = await sharing.scan();
    if (wait) await sharing.settled();
    return result;
  },
});

/** Takes a folder in. */
export const addItem = action({
  name: "library.add",
  callTimeoutMs: WHOLE_ITEM_MS,
  summary: "Copy or move a folder into the shared library",
  positional: ["folder"],
  input: () =>
    z.strictObject({
      folder: z.string().max(4_096).describe("Absolute path"),
      id: ItemId().optional().describe("The folder's name when absent"),
      version: z.string().max(200).optional().describe("1 when absent"),
      move: z.boolean().default(false),
    }),
  output: () => z.object({ id: z.string() }),
  // Goes on when its caller leaves; library.watch tells its end, library.cancel makes one.
  run: async (input, { sharing }: Uses) => ({
    id: await sharing.actions.add(input, new AbortController().signal),
  }),
});

/** Puts an item with a damaged log right. */
export const repairItem = action({
  name: "library.repair",
  callTimeoutMs: WHOLE_ITEM_MS,
  summary: "Let go of an intent log that cannot be read; what is installed counts",
  positional: ["id"],
  input: () => z.strictObject({ id: ItemId() }),
  output: () => z.object({ id: z.string() }),
  run: async ({ id }, { sharing }: Uses) => {
    await sharing.actions.repair(id);
    return { id };
  },
});

/** Reads an item again. */
export const verifyItem = action({
  name: "library.verify",
  callTimeoutMs: WHOLE_ITEM_MS,
  summary: "Read every file of an item and compare it with its hashes",
  positional: ["id"],
  input: () =>
    z.strictObject({
      id: ItemId(),
      wait: z.boolean().default(true)
        .describe("Until it is read; for large items rather false, and library.watch"),
    }),
  output: () =>
    z.object({
      id: z.string(),
      files: z.number().optional(),
      bytes: z.number().optional(),
      damaged: z.array(z.string()).readonly().optional(),
    }),
  run: async ({ id, wait }, { sharing }: Uses) => {
    const { done } = await sharing.actions.verify(id);
    return { id, ...(wait ? await done : {}) };
  },
});

function filesOutput(
  { id, version, files }: {
    id: string;
    version: string;
    files: readonly { path: string; size: number; sha256: string }[];
  },
): z.input<ReturnType<typeof Files>> {
  return {
    id,
    version,
    size: files.reduce((sum, { size }) => sum + size, 0),
    files: files.map(({ path, size, sha256 }) => ({ path, size, sha256 })),
  };
}

function notSharedOutput({ count, files }: NonNullable<ListedItem["notShared"]>, most?: number) {
  return { count, files: files.slice(0, most).map(({ path, reason }) => ({ path, reason })) };
}
