/** What is put into the library's folder is found, whatever its watch misses (L20, L22). */
import assert from "node:assert/strict";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pause } from "../../../src/core/mod.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode } from "../../support/sharing/library_node.ts";
import { waitFor } from "../../support/wait.ts";

/** Far less than the 300 s after which everything is looked at anyway. */
const SOON_MS = 10_000;

async function isListed(node: LibraryNode, id: string, version: string): Promise<boolean> {
  const items = await node.sharing.items();
  return items.some((item) => item.id === id && item.downloaded && item.version === version);
}

function listed(node: LibraryNode, id: string, version = "1"): Promise<unknown> {
  return waitFor(`${id} in the list`, () => isListed(node, id, version), SOON_MS);
}

testWithLibp2p("An item whose version.ini comes long after its folder is found (L20)", async () => {
  await using us = await LibraryNode.start();
  for (const id of ["one", "two", "three"]) {
    await writeTree(join(us.dir, id), { "data.bin": "data" });
    await pause(900); // its folder was looked at and is not one of an item yet
    await writeFile(join(us.dir, id, "version.ini"), "1");
    await listed(us, id);
  }
});

testWithLibp2p("An item that is taken away and comes back is found (L20)", async () => {
  await using us = await LibraryNode.start();
  const root = join(us.dir, "game");
  for (const version of ["1", "2", "3"]) {
    await mkdir(root);
    await pause(900);
    await writeFile(join(root, "version.ini"), version);
    await listed(us, "game", version);
    await rm(root, { recursive: true });
    if (version === "2") continue; // comes back at once
    await waitFor("its end", async () => (await us.sharing.items()).length === 0, SOON_MS);
  }
});

testWithLibp2p("A library folder that goes and comes back is watched again (L20)", async () => {
  await using us = await LibraryNode.start();
  await writeTree(join(us.dir, "old"), { "version.ini": "1", a: "a" });
  await listed(us, "old");
  await rename(us.dir, `${us.dir}.away`);
  await pause(1_500);
  await mkdir(us.dir);
  await writeTree(join(us.dir, "new"), { a: "a" });
  await pause(1_500);
  await writeFile(join(us.dir, "new", "version.ini"), "1");
  await listed(us, "new");
  assert.equal(await isListed(us, "old", "1"), false);
});
