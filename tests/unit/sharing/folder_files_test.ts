/** What is known of a library's folder while another one is used. */
import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileOfFolder, MAX_FOLDERS } from "../../../src/sharing/folder_files.ts";
import { IndexStore } from "../../../src/sharing/store.ts";
import { WantedFile } from "../../../src/sharing/wanted_file.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode, noiseBytes } from "../../support/sharing/library_node.ts";
import { tempFolder } from "../../support/temp_folder.ts";
import { waitFor } from "../../support/wait.ts";

const MIB = 1_024 * 1_024;
/** What may be under way when a download is cancelled: five chunks. */
const IN_FLIGHT = 5 * 4 * MIB;

testWithLibp2p("A download goes on from what is there once its folder is used again", async () => {
  const size = 40 * MIB;
  await using seed = await LibraryNode.start({ limits: { uploadTotal: 40 * MIB } });
  await writeTree(join(seed.dir, "game"), { "version.ini": "1", "a.bin": noiseBytes(size) });
  await seed.scanned();
  await using us = await LibraryNode.start();
  const [home, other] = [us.dir, join(us.folder, "other")];
  await mkdir(other);
  await us.connect(seed);
  await us.knows("game");
  const signal = AbortSignal.timeout(20_000);
  const { done } = await us.sharing.actions.download("game", { install: false, signal });
  done.catch(() => undefined);
  await waitFor("a part of it", () => seed.sharing.served.bytes > 24 * MIB);
  await us.sharing.actions.cancel("game");
  await done.catch(() => undefined);
  await us.sharing.setDir(other);
  assert.equal((await us.sharing.items())[0]?.downloaded, false);
  await us.sharing.setDir(home);
  await us.get("game");
  const twice = seed.sharing.served.bytes - size;
  assert.equal(twice < IN_FLIGHT, true, `${twice} bytes were fetched twice`);
  await us.sharing.setDir(other);
  await us.sharing.setDir(home);
  assert.equal((await us.sharing.items())[0]?.downloaded, true);
  await us.scanned();
  assert.equal(us.sharing.hashed, 0, "nothing of it is read again");
});

Deno.test("WantedFile.open() keeps what is wanted in each folder", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "wanted.json");
  const want = (id: string) => ({
    ...{ id, version: "2", install: false, installs: 0, since: 0, size: 1, chunks: 1 },
  });
  const ids = async (dir: string) => (await WantedFile.open(path, dir)).list().map(({ id }) => id);
  for (const dir of ["/a", "/b"]) {
    const file = await WantedFile.open(path, dir);
    await file.put(want(`of ${dir.slice(1)}`.replace(" ", "-")));
  }
  assert.deepEqual([await ids("/a"), await ids("/b"), await ids("/c")], [["of-a"], ["of-b"], []]);
  await (await WantedFile.open(path, "/b")).remove("of-b");
  assert.deepEqual([await ids("/a"), await ids("/b")], [["of-a"], []]);
  await writeFile(path, "damaged");
  assert.deepEqual([await ids("/a"), await ids("/b")], [[], []]);
});

Deno.test("IndexStore.open() remembers some folders, those that were used last", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "index.db");
  const item = (id: string) => ({
    ...{ id, version: "1", sentinelMtimeMs: 5, size: 1, files: 1 },
    ...{ installed: false, isFetched: true, isHashed: true },
  });
  const ids = (dir: string) => {
    const store = IndexStore.open(path, dir);
    const found = store.items().map(({ id }) => id);
    store.close();
    return found;
  };
  const dirs = Array.from({ length: MAX_FOLDERS + 3 }, (_, index) => `/library/${index}`);
  for (const dir of dirs) {
    const store = IndexStore.open(path, dir);
    store.putItem(item(dir.slice(9)));
    store.close();
    const own = fileOfFolder(path, dir);
    const at = new Date(2_000_000 + Number(dir.slice(9)) * 1_000);
    await Deno.utime(own, at, at).catch(() => undefined); // the first one has none
  }
  const files = (await readdir(folder.path)).filter((name) => name.endsWith(".db"));
  assert.equal(files.length <= MAX_FOLDERS + 1, true, files.join());
  assert.deepEqual(ids("/library/0"), ["0"], "the first one stays");
  assert.deepEqual(ids(dirs.at(-1) ?? ""), [String(MAX_FOLDERS + 2)]);
  assert.deepEqual(ids("/library/1"), [], "the oldest one is forgotten");
});
