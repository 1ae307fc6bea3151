/** What is hashed in the background while an item changes. */
import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { Catalog } from "../../../src/sharing/catalog.ts";
import { type Files, systemFiles } from "../../../src/sharing/files.ts";
import { KeptManifests } from "../../../src/sharing/kept_manifests.ts";
import { LocalItems } from "../../../src/sharing/local_items.ts";
import { IndexStore } from "../../../src/sharing/store.ts";
import { writeTree } from "../../support/sharing/item_folder.ts";
import { tempFolder } from "../../support/temp_folder.ts";

Deno.test("LocalItems forgets hashes of an item that was fetched anew in the meantime", async () => {
  await using folder = await tempFolder();
  const dir = join(folder.path, "library");
  await writeTree(join(dir, "game"), { "version.ini": "1", "mine.txt": "the user's" });
  const store = IndexStore.open(join(folder.path, "index.db"), dir);
  const goOn = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const files: Files = {
    ...systemFiles,
    open: async (path, mode, options) => {
      begun.resolve();
      await goOn.promise;
      return await systemFiles.open(path, mode, options);
    },
  };
  const local = new LocalItems({
    ...{ store, files, catalog: new Catalog(folder.path), isBusy: () => false },
    onChanged: () => undefined,
  }, { dir });
  local.open();
  await local.scan("game");
  await begun.promise; // a large file takes minutes
  const hash = "0".repeat(64);
  const sentinel = { path: "version.ini", size: 1, sha256: hash, chunks: [hash] };
  const { mtimeMs } = await stat(join(dir, "game", "version.ini"));
  local.fetched({ id: "game", version: "1", files: [sentinel] }, new Map(), Math.floor(mtimeMs));
  local.committed("game");
  goOn.resolve();
  await local.settled();
  await local.scan("game");
  await local.settled();
  assert.deepEqual(store.files("game").map(({ path }) => path), ["version.ini"]);
  await local.close();
  store.close();
});

Deno.test("KeptManifests does not keep a failure", async () => {
  let isBroken = true;
  const files = (_id: string, after: string) => {
    if (isBroken) throw new TypeError("disk I/O error");
    const row = { path: "a", size: 0, mtimeMs: 1, chunks: new Uint8Array() };
    return after === "" ? [row] : [];
  };
  const kept = new KeptManifests({ store: { files } as unknown as IndexStore });
  await assert.rejects(kept.get("game", "1"), /I\/O/);
  isBroken = false;
  assert.deepEqual((await kept.get("game", "1")).files.map(({ path }) => path), ["a"]);
});
