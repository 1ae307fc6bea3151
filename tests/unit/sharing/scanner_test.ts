/** Folders that are not what they seem, and disks that fail while they are looked at. */
import assert from "node:assert/strict";
import { mkdir, rename, symlink, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { isUnfinished } from "../../../src/sharing/local_item.ts";
import { MAX_SKIPPED, scanItem } from "../../../src/sharing/scanner.ts";
import { inSlices } from "../../../src/sharing/slices.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { readTree, writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode } from "../../support/sharing/library_node.ts";
import { tempFolder } from "../../support/temp_folder.ts";

const isWindows = process.platform === "win32";

testWithLibp2p("A link to a folder elsewhere is no item, whoever asks for it", async () => {
  await using us = await LibraryNode.start();
  const elsewhere = join(us.folder, "elsewhere");
  await writeTree(elsewhere, { "version.ini": "1", "secret.txt": "s", "local/mine.txt": "mine" });
  await symlink(elsewhere, join(us.dir, "game"), "dir");
  await assert.rejects(us.sharing.actions.uninstall("game"), { code: "not_found" });
  await assert.rejects(us.sharing.actions.install("game"), { code: "not_found" });
  assert.deepEqual(await us.sharing.items(), []);
  assert.equal((await readTree(elsewhere))["local/mine.txt"], "mine");
});

testWithLibp2p("An item whose sentinel is of 1970 is downloaded", async () => {
  await using us = await LibraryNode.start();
  for (const [id, seconds] of [["epoch", 0], ["before", -1_000]] as const) {
    const sentinel = join(us.dir, id, "version.ini");
    await writeTree(join(us.dir, id), { "version.ini": "3", a: "a" });
    await utimes(sentinel, seconds, seconds);
  }
  await us.scanned();
  const items = await us.sharing.items();
  assert.deepEqual(items.map(({ id, downloaded, version }) => [id, downloaded, version]), [
    ["before", true, "3"],
    ["epoch", true, "3"],
  ]);
  assert.equal((await us.sharing.actions.get("epoch", AbortSignal.timeout(5_000))).files.length, 2);
});

/** Lets reading one folder fail. */
function failing(path: string, code: string): Disposable {
  const { readDirSync } = Deno;
  Deno.readDirSync = (folder) => {
    if (folder === path) throw Object.assign(new TypeError(`${code}: injected`), { code });
    return readDirSync(folder);
  };
  return { [Symbol.dispose]: () => void (Deno.readDirSync = readDirSync) };
}

testWithLibp2p("What cannot be looked at for the moment stays as it was", async () => {
  await using us = await LibraryNode.start();
  await writeTree(join(us.dir, "game"), { "version.ini": "1", "deep/b.txt": "b" });
  await writeTree(join(us.dir, "more"), { "version.ini": "1" });
  await us.scanned();
  const before = await us.sharing.items();
  const manifest = await us.sharing.actions.get("game", AbortSignal.timeout(5_000));
  for (const path of ["", "/deep"]) {
    for (const code of ["EMFILE", "EIO"]) {
      using _fault = failing(`${join(us.dir, "game")}${path}`, code);
      const made = join(dirname(us.dir), "made.txt");
      await writeFile(made, "x");
      await rename(made, join(us.dir, "more", `${code}${path.length}.txt`)); // it comes whole
      const { changed } = await us.sharing.scan();
      assert.equal(changed <= 1, true, `${changed} items changed`);
      await us.sharing.settled();
      assert.deepEqual((await us.sharing.items())[0], before[0], `${code} in game${path}`);
    }
  }
  await us.scanned();
  assert.deepEqual(await us.sharing.actions.get("game", AbortSignal.timeout(5_000)), manifest);
  assert.equal(us.sharing.hashed, 3 + 4, "nothing was hashed twice");
});

Deno.test("scanItem() remembers no more of what is not shared than fits", async () => {
  await using folder = await tempFolder();
  await writeFile(join(folder.path, "version.ini"), "1");
  for (let n = 0; n < MAX_SKIPPED + 20; n++) await symlink("version.ini", `${folder.path}/l${n}`);
  const found = await inSlices(scanItem(folder.path, "game"));
  assert.equal(found?.version, "1");
  assert.equal(found?.skipped.length, MAX_SKIPPED);
});

Deno.test({
  name: "isUnfinished() waits for nothing and follows no link",
  ignore: isWindows,
  fn: async () => {
    await using folder = await tempFolder();
    const root = (name: string) => join(folder.path, name);
    for (const name of ["link", "pipe", "folder", "large", "fine"]) await mkdir(root(name));
    await writeFile(join(folder.path, "log"), '{"state":"None"}');
    await symlink(join(folder.path, "log"), join(root("link"), ".lanspread.json"));
    await mkdir(join(root("folder"), ".lanspread.json"));
    await writeFile(join(root("large"), ".lanspread.json"), `{"state":"None"}${" ".repeat(1e5)}`);
    await writeFile(join(root("fine"), ".lanspread.json"), '{"state":"None"}');
    for (const name of ["link", "folder", "large"]) {
      assert.equal(isUnfinished(root(name)), true, name);
    }
    assert.equal(isUnfinished(root("fine")), false);
    const pipe = join(root("pipe"), ".lanspread.json");
    assert.equal((await new Deno.Command("mkfifo", { args: [pipe] }).output()).success, true);
    assert.equal(isUnfinished(root("pipe")), true);
  },
});
