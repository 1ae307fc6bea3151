/** Folders that become items: whole or not at all. */
import assert from "node:assert/strict";
import { mkdir, symlink } from "node:fs/promises";
import { join, posix, win32 } from "node:path";
import { addItem, isInside } from "../../../src/sharing/add_item.ts";
import type { Files } from "../../../src/sharing/files.ts";
import { OperationGate } from "../../../src/sharing/operation_gate.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { FaultFiles } from "../../support/sharing/fault_files.ts";
import { readTree, writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode } from "../../support/sharing/library_node.ts";
import { QUICK_PARENT, tempFolder } from "../../support/temp_folder.ts";

const TREE = { "a.txt": "a", "deep/b.txt": "b", "version.ini": "version=3\n" };
const WHOLE = { ...TREE, "deep/": "" };

async function scene() {
  const folder = await tempFolder(QUICK_PARENT);
  const [library, source] = [join(folder.path, "library"), join(folder.path, "game")];
  await mkdir(library);
  await writeTree(source, TREE);
  const local = { rootOf: (id: string) => join(library, id) };
  const { signal } = new AbortController();
  const add = (files: Files, input = {}) =>
    addItem({ files, gate: new OperationGate(), local }, { folder: source, ...input }, signal);
  return { folder, library, source, add, [Symbol.asyncDispose]: folder[Symbol.asyncDispose] };
}

for (const isLasting of [false, true]) {
  const disk = isLasting ? "a disk that is gone from some step on" : "a disk that is full once";
  Deno.test(`addItem() on ${disk} leaves the whole item or none, and can be tried again`, async () => {
    let cases = 0;
    for (let step = 1;; step++) {
      await using here = await scene();
      const files = new FaultFiles(step, isLasting ? "EIO" : "ENOSPC", { isLasting });
      const failure = await here.add(files).then(() => undefined, (error: Error) => error);
      const when = `step ${step}: ${files.steps[step - 1]}`;
      if (files.steps.length < step) break;
      assert.equal(failure?.name, "DaemonError", when);
      cases++;
      const left = await readTree(here.library);
      const isThere = "game/" in left;
      if (!isThere && !isLasting) assert.deepEqual(left, {}, `${when}: its space is free again`);
      if (!isThere) await here.add(new FaultFiles());
      const { [".lanspread_owned"]: mark, ...whole } = await readTree(join(here.library, "game"));
      assert.deepEqual(whole, WHOLE, when);
      assert.equal(mark === undefined || isThere, true, "a mark that could not be taken off");
      const { ["deep/"]: _folder, ...source } = await readTree(here.source);
      assert.deepEqual(source, TREE, when);
    }
    assert.equal(cases > 10, true, `${cases} cases`);
  });
}

Deno.test("addItem() takes no folder that the library is in, and replaces nothing", async () => {
  await using here = await scene();
  const files = new FaultFiles();
  await assert.rejects(here.add(files, { folder: here.folder.path, id: "x" }), {
    code: "invalid_argument",
  });
  for (const name of [".game.adding", "game"]) {
    await writeTree(join(here.library, name), { "mine.txt": "the user's" });
    await assert.rejects(here.add(files), { code: "already_exists" });
    const left = await readTree(join(here.library, name));
    assert.deepEqual(left, { "mine.txt": "the user's" });
  }
});

Deno.test("addItem() sees through links to the library", async () => {
  await using here = await scene();
  const files = new FaultFiles();
  await using elsewhere = await tempFolder();
  const link = join(elsewhere.path, "link");
  await symlink(here.library, link, "dir");
  const local = { rootOf: (id: string) => join(link, id) };
  const add = (folder: string, id: string) =>
    addItem(
      { files, gate: new OperationGate(), local },
      { folder, id },
      AbortSignal.timeout(5_000),
    );
  // As the daemon asks: with every link in the folder's own path resolved.
  await assert.rejects(add(here.folder.path, "all"), { code: "invalid_argument" });
  await writeTree(join(here.library, "there"), { "a.txt": "a" });
  assert.equal(await add(join(here.library, "there"), "there"), "there");
  assert.deepEqual(await readTree(join(here.library, "there")), {
    "a.txt": "a",
    "version.ini": "version=1\n",
  });
});

Deno.test("addItem() makes a moved folder last before it is an item", async () => {
  await using here = await scene();
  const files = new FaultFiles();
  await here.add(files, { move: true, version: "4" });
  const at = (step: string) => files.steps.indexOf(step);
  const moved = at(`rename ${here.source} ${join(here.library, "game")}`);
  const sentinel = files.steps.findIndex((step) => step.endsWith(join("game", "version.ini")));
  assert.equal(moved >= 0 && moved < at(`sync ${here.library}`), true, files.steps.join("\n"));
  assert.equal(at(`sync ${here.library}`) < sentinel, true);
  assert.equal(at(`sync ${here.folder.path}`) > moved, true);
});

Deno.test("isInside() knows that another drive is not inside", () => {
  assert.equal(isInside("C:\\data\\lib", "C:\\data", win32), true);
  assert.equal(isInside("D:\\lib", "C:\\data", win32), false);
  assert.equal(isInside("C:\\data2", "C:\\data", win32), false);
  assert.equal(isInside("/data/..lib/x", "/data", posix), true);
  assert.equal(isInside("/data", "/data", posix), true);
  assert.equal(isInside("/dat", "/data", posix), false);
});

testWithLibp2p(
  "What a stop left of an addition is removed at the next start, and nothing else",
  async () => {
    await using home = await tempFolder();
    const library = join(home.path, "library");
    await writeTree(library, {
      ".game.adding/.lanspread_owned": "",
      ".game.adding/deep/big.bin": "much",
      ".mine.adding/mine.txt": "the user's",
      ".x.other/.lanspread_owned": "",
    });
    await mkdir(join(library, ".empty.adding"));
    {
      await using node = await LibraryNode.start({ folder: home.path });
      assert.deepEqual(await node.sharing.items(), []);
    }
    assert.deepEqual(await readTree(library), {
      ".mine.adding/": "",
      ".mine.adding/mine.txt": "the user's",
      ".x.other/": "",
      ".x.other/.lanspread_owned": "",
    });
  },
);
