/** An item folder before, during and after a transaction that is stopped at some step. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemClock } from "../../../src/core/mod.ts";
import { Catalog } from "../../../src/sharing/catalog.ts";
import { ChunkMemories } from "../../../src/sharing/chunk_memory.ts";
import { type Files, systemFiles } from "../../../src/sharing/files.ts";
import { ItemDownload } from "../../../src/sharing/item_download.ts";
import { LocalItems } from "../../../src/sharing/local_items.ts";
import type { Manifest } from "../../../src/sharing/manifest.ts";
import { IndexStore } from "../../../src/sharing/store.ts";
import { Installs } from "../../../src/sharing/transaction.ts";
import { ArchiveUnpacker } from "../../../src/sharing/unpack/archives.ts";
import { readTree, tarGzOf, type Tree, writeTree } from "./item_folder.ts";

/** Transactions of an item. */
export const TRANSACTIONS = ["install", "update", "uninstall", "download", "redownload"] as const;
/** One of {@link TRANSACTIONS}. */
export type Transaction = (typeof TRANSACTIONS)[number];

const INSTALLED: Record<"1" | "2", Tree> = {
  "1": { "a.txt": "a of 1", "deep/b.txt": "b of 1" },
  "2": { "a.txt": "a of 2", "deep/b.txt": "b of 2", "new.txt": "only in 2" },
};
/** What belongs to the user, and what no transaction may touch. */
const OWN_FILES: Tree = { "mine.txt": "the user's", "own folder/note.txt": "also the user's" };

// Folders with reserved names that are not ours, where no log of the transaction names them.
function foreign(transaction: Transaction): Tree {
  return {
    ...OWN_FILES,
    ...(transaction === "install" ? { ".local.backup/old.txt": "the user's backup" } : {}),
    ...(transaction === "uninstall" ? { ".local.installing/new.txt": "the user's folder" } : {}),
    ...(transaction === "download" ? { ".local.backup/old.txt": "the user's backup" } : {}),
  };
}

async function archived(version: "1" | "2"): Promise<Record<string, string | Uint8Array>> {
  return {
    "version.ini": `version=${version}\n`,
    "data.tar.gz": await tarGzOf(INSTALLED[version]),
    "parts/extra.bin": `extra of ${version}`,
  };
}

/** A file that is written past the system's cache, but for its last bytes. */
export function largeOf(version: string): Uint8Array {
  return new Uint8Array(1_048_576 + 5_000).fill(Number(version));
}

// What peers have of the second version. A thread for large files takes a while to begin: once is enough.
async function fetched(transaction: Transaction): Promise<Tree> {
  const large = transaction === "download" ? { "parts/large.bin": largeOf("2") } : {};
  return { ...await archived("2"), ...large };
}

/** Makes the folder as it is before a transaction. */
export async function prepare(folder: string, transaction: Transaction): Promise<void> {
  const root = join(folder, "library", "item");
  await mkdir(join(folder, "data"), { recursive: true });
  if (transaction !== "download") await writeTree(root, await archived("1"));
  if (transaction !== "download" && transaction !== "install") {
    await installsOn(systemFiles).install(root, { version: "1", signal: never() });
  }
  if (transaction === "update") await writeTree(root, await archived("2"));
  await writeTree(root, foreign(transaction));
}

/** Runs a transaction on a disk. */
export async function perform(
  folder: string,
  transaction: Transaction,
  files: Files,
): Promise<void> {
  const root = join(folder, "library", "item");
  if (transaction === "uninstall") return await installsOn(files).uninstall(root);
  if (transaction === "install" || transaction === "update") {
    const version = transaction === "update" ? "2" : "1";
    return await installsOn(files).install(root, { version, signal: never() });
  }
  await fetchItem(folder, "2", await fetched(transaction), files);
}

/** Fetches a version of the item from a peer that has it. */
export async function fetchItem(
  folder: string,
  version: string,
  archive: Tree,
  files: Files,
): Promise<void> {
  const store = IndexStore.open(join(folder, "data", "index.db"), join(folder, "library"));
  try {
    await fetchFrom(archive, version, join(folder, "library", "item"), { files, store });
  } finally {
    store.close();
  }
}

async function fetchFrom(
  archive: Tree,
  version: string,
  root: string,
  { files, store }: { files: Files; store: IndexStore },
): Promise<void> {
  const contents = new Map(
    Object.entries(archive).map(([path, content]) => [
      path,
      typeof content === "string" ? new TextEncoder().encode(content) : content,
    ]),
  );
  const manifest: Manifest = {
    ...{ id: "item", version },
    files: [...contents].map(([path, bytes]) => {
      const chunk = createHash("sha256").update(bytes).digest();
      const sha256 = createHash("sha256").update(chunk).digest("hex");
      return { path, size: bytes.byteLength, sha256, chunks: [chunk.toString("hex")] };
    }),
  };
  const download = new ItemDownload({
    ...{ files, store, clock: systemClock, memories: new ChunkMemories() },
    client: {
      fetchChunk: (_peer, { path }, buffer, _signal, onPart) => {
        buffer.set(contents.get(path) ?? new Uint8Array());
        onPart?.(buffer.byteLength);
        return Promise.resolve();
      },
      fetchFile: () => Promise.reject(new TypeError("not needed")),
      getHave: () => Promise.reject(new TypeError("not needed")),
    },
    local: await localItems(dirname(root), store),
    peers: () => [],
    ...{ onBegin: () => {}, onProgress: () => {}, onBadChunk: () => {} },
  }, {
    ...{ manifest, sources: new Map([["seed", new Set<string>()]]), selfId: "self" },
    directItemBytes: 0,
  });
  await download.run(never());
}

// As a daemon has them, so that the index is written as it does.
async function localItems(dir: string, store: IndexStore): Promise<LocalItems> {
  const catalog = new Catalog(join(dir, "no-catalog"));
  const local = new LocalItems({
    ...{ store, files: systemFiles, catalog, isBusy: () => false, onChanged: () => undefined },
  }, { dir });
  local.open();
  await local.scanAll();
  await local.settled();
  return local;
}

/** Puts the folder right, as every start does. */
export async function recover(folder: string, files: Files = systemFiles): Promise<void> {
  await installsOn(files).recover(join(folder, "library", "item"));
}

/** Asserts the invariants of contract 5.4. @returns What is installed and downloaded. */
export async function inspect(
  folder: string,
  transaction: Transaction,
  when: string,
): Promise<{ installed: string; downloaded: string }> {
  const tree = await readTree(join(folder, "library", "item"));
  const theirs = Object.entries(foreign(transaction));
  for (const [path, content] of theirs) assert.equal(tree[path], content, `${when}: ${path}`);
  const names = Object.keys(tree).filter((name) =>
    !theirs.some(([path]) =>
      path.startsWith(".") && `${path}/`.startsWith(`${name.split("/")[0]}/`)
    )
  );
  const leftover = names.find((name) =>
    /^\.(local|version|lanspread\.json\.tmp)|_owned$/.test(name)
  );
  assert.equal(leftover, undefined, `${when}: ${leftover} was left behind`);
  const log = tree[".lanspread.json"];
  if (log !== undefined) assert.equal(JSON.parse(log).state, "None", when);
  const local = Object.fromEntries(
    names.filter((name) => name.startsWith("local/") && !name.endsWith("/"))
      .map((name) => [name.slice("local/".length), tree[name]]),
  );
  const installed = tree["local/"] === undefined
    ? "none"
    : same(local, "1")
    ? "1"
    : same(local, "2")
    ? "2"
    : "mix";
  assert.notEqual(installed, "mix", `${when}: ${JSON.stringify(local)}`);
  const allowed: Record<Transaction, readonly string[]> = {
    install: ["none", "1"],
    update: ["1", "2"],
    uninstall: ["none", "1"],
    download: ["none"],
    redownload: ["1"],
  };
  assert.equal(
    allowed[transaction].includes(installed),
    true,
    `${when}: ${installed} is installed`,
  );
  if (log !== undefined) {
    assert.equal(JSON.parse(log).installed_version ?? "none", installed, `${when}: ${log}`);
  }
  const sentinel = tree["version.ini"];
  const downloaded = /version=(\d)/.exec(sentinel ?? "")?.[1] ?? "none";
  assert.equal(sentinel === undefined || downloaded !== "none", true, `${when}: torn sentinel`);
  const isFetched = downloaded === "2" && transaction !== "update";
  if (isFetched) await assertServed(folder, await fetched(transaction), when);
  if (downloaded !== "none") {
    assertComplete(
      tree,
      isFetched ? await fetched(transaction) : await archived(downloaded as "1" | "2"),
      when,
    );
  }
  return { installed, downloaded };
}

// What peers are told of: the files that were fetched, and nothing of the user's.
async function assertServed(folder: string, wanted: Tree, when: string): Promise<void> {
  const store = IndexStore.open(join(folder, "data", "index.db"), join(folder, "library"));
  try {
    const local = await localItems(join(folder, "library"), store);
    const manifest = await local.manifest("item");
    const paths = manifest?.files.map(({ path }) => path).sort();
    assert.deepEqual(paths, Object.keys(wanted).sort(), when);
    assert.equal(manifest?.version, "2", when);
  } finally {
    store.close();
  }
}

function assertComplete(tree: Record<string, string>, wanted: Tree, when: string): void {
  for (const [path, content] of Object.entries(wanted)) {
    const bytes = Buffer.from(content).toString("latin1");
    assert.equal(tree[path] === bytes, true, `${when}: ${path} is not of the version`);
  }
}

function same(local: Record<string, string | undefined>, version: "1" | "2"): boolean {
  const wanted = INSTALLED[version];
  return Object.keys(local).length === Object.keys(wanted).length &&
    Object.entries(wanted).every(([path, content]) => local[path] === content);
}

/** Installations on a disk. */
export function installsOn(files: Files): Installs {
  const unpacker = new ArchiveUnpacker({ files, external: () => [] });
  return new Installs({ files, clock: systemClock, unpacker });
}

function never(): AbortSignal {
  return new AbortController().signal;
}
