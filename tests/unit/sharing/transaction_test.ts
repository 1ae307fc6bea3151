import assert from "node:assert/strict";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../../src/core/mod.ts";
import { type Files, systemFiles } from "../../../src/sharing/files.ts";
import { Installs } from "../../../src/sharing/transaction.ts";
import { ArchiveUnpacker } from "../../../src/sharing/unpack/archives.ts";
import { readTree, tarGzOf, writeTree } from "../../support/sharing/item_folder.ts";
import { tempFolder } from "../../support/temp_folder.ts";

const installs = new Installs({
  files: systemFiles,
  clock: systemClock,
  unpacker: new ArchiveUnpacker({ files: systemFiles, external: () => [] }),
});
const signal = new AbortController().signal;

async function item(root: string, version: string): Promise<void> {
  await writeTree(root, {
    "version.ini": version,
    "data.tar.gz": await tarGzOf({ "a.txt": `a ${version}`, "deep/b.txt": `b ${version}` }),
  });
}

Deno.test("Installs.install() unpacks the archive into local and leaves no mark behind", async () => {
  await using folder = await tempFolder();
  await item(folder.path, "1");
  await installs.install(folder.path, { version: "1", signal });
  const tree = await readTree(join(folder.path, "local"));
  assert.deepEqual(tree, { "a.txt": "a 1", "deep/": "", "deep/b.txt": "b 1" });
  const log = JSON.parse((await readTree(folder.path))[".lanspread.json"] ?? "");
  assert.equal(log.state, "None");
  assert.equal(log.installed_version, "1");
});

Deno.test("Installs.install() replaces what is installed, uninstall() removes it", async () => {
  await using folder = await tempFolder();
  await item(folder.path, "1");
  await installs.install(folder.path, { version: "1", signal });
  await writeTree(folder.path, { "local/extra.txt": "of the old version", "mine.txt": "user's" });
  await item(folder.path, "2");
  await installs.install(folder.path, { version: "2", signal });
  let tree = await readTree(folder.path);
  assert.equal(tree["local/a.txt"], "a 2");
  assert.equal(tree["local/extra.txt"], undefined);
  assert.equal(tree["mine.txt"], "user's");
  assert.equal(Object.keys(tree).some((path) => path.includes("backup")), false);
  await installs.uninstall(folder.path);
  tree = await readTree(folder.path);
  assert.equal(tree["local/"], undefined);
  assert.equal(tree["mine.txt"], "user's");
});

Deno.test("Installs.install() refuses while a folder of somebody else has a reserved name", async () => {
  await using folder = await tempFolder();
  await item(folder.path, "1");
  await mkdir(join(folder.path, ".local.installing"));
  await writeFile(join(folder.path, ".local.installing", "theirs"), "x");
  await assert.rejects(installs.install(folder.path, { version: "1", signal }), /is not ours/);
  await installs.recover(folder.path);
  assert.equal((await readTree(folder.path))[".local.installing/theirs"], "x");
});

Deno.test("Installs.recover() deletes nothing while the intent log cannot be read", async () => {
  await using folder = await tempFolder();
  await writeTree(folder.path, {
    ".lanspread.json": '{"schema":1,"state":"Upd',
    ".local.backup/.lanspread_owned": "",
    ".local.backup/a.txt": "old",
  });
  await assert.rejects(installs.recover(folder.path), /library repair/);
  assert.equal((await readTree(folder.path))[".local.backup/a.txt"], "old");
  await installs.repair(folder.path);
  assert.equal((await readTree(folder.path))["local/a.txt"], "old");
});

Deno.test("Installs.install() clones an item that has no archive", async () => {
  await using folder = await tempFolder();
  await writeTree(folder.path, { "version.ini": "1", "data/x.bin": "x", "run.sh": "y" });
  await installs.install(folder.path, { version: "1", signal });
  const tree = await readTree(join(folder.path, "local"));
  assert.deepEqual(tree, { "data/": "", "data/x.bin": "x", "run.sh": "y" });
});

Deno.test("An update during which a program makes local anew loses neither version nor its files", async () => {
  await using folder = await tempFolder();
  const root = folder.path;
  await item(root, "1");
  await installs.install(root, { version: "1", signal });
  await item(root, "2");
  const files: Files = {
    ...systemFiles,
    rename: async (from, to) => {
      await systemFiles.rename(from, to);
      // A running game saves where it always does.
      if (to.endsWith(".local.backup")) await writeTree(root, { "local/save.dat": "level 9" });
    },
  };
  const unpacker = new ArchiveUnpacker({ files, external: () => [] });
  const disturbed = new Installs({ files, clock: systemClock, unpacker });
  await assert.rejects(disturbed.install(root, { version: "2", signal }), {
    code: "failed_precondition",
    message: /local.*close.*\.local\.backup/s,
  });
  for (let start = 0; start < 3; start++) {
    const tree = await readTree(root);
    assert.equal(tree["local/save.dat"], "level 9");
    assert.equal(tree[".local.backup/a.txt"], "a 1", `after ${start} starts`);
    assert.equal(tree[".local.installing/"], undefined);
    await installs.recover(root);
  }
  await assert.rejects(installs.install(root, { version: "2", signal }), /is not ours; move it/);
  await rename(join(root, ".local.backup"), join(root, "before"));
  await installs.install(root, { version: "2", signal });
  assert.equal((await readTree(root))["local/a.txt"], "a 2");
});

Deno.test("A backup that an earlier failure left gives way to the next update", async () => {
  await using folder = await tempFolder();
  const root = folder.path;
  await item(root, "1");
  await installs.install(root, { version: "1", signal });
  await writeTree(root, { ".local.backup/.lanspread_owned": "", ".local.backup/a.txt": "a 0" });
  await item(root, "2");
  await installs.install(root, { version: "2", signal });
  const tree = await readTree(root);
  assert.equal(tree["local/a.txt"], "a 2");
  assert.equal(Object.keys(tree).some((path) => path.includes("backup")), false);
});

Deno.test("Installs.recover() leaves folders with the names of its files alone, and blocks nothing", async () => {
  await using folder = await tempFolder();
  const names = [".version.ini.tmp", ".version.ini.discarded", ".lanspread.json.tmp"];
  for (const name of names) await writeTree(folder.path, { [`${name}/theirs`]: "x" });
  await writeTree(folder.path, { "version.ini": "1", "local/a.txt": "a" });
  await writeTree(folder.path, { "local/.lanspread_owned/theirs": "x" });
  await installs.recover(folder.path);
  const tree = await readTree(folder.path);
  for (const name of [...names, "local/.lanspread_owned"]) {
    assert.equal(tree[`${name}/theirs`], "x");
  }
});
