/** One library a folder: two that write to the same items would mix their versions. */
import assert from "node:assert/strict";
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { readTree, writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode } from "../../support/sharing/library_node.ts";
import { tempFolder } from "../../support/temp_folder.ts";

testWithLibp2p(
  "A folder that is another library's already is refused, by any way to it",
  async () => {
    await using alice = await LibraryNode.start();
    await writeTree(join(alice.dir, "game"), { "version.ini": "1", ".local.installing/half": "x" });
    await using bob = await LibraryNode.start();
    const link = join(bob.folder, "link");
    await symlink(alice.dir, link, "dir");
    const before = bob.dir;
    for (const dir of [alice.dir, link]) {
      await assert.rejects(bob.sharing.setDir(dir), {
        code: "failed_precondition",
        message: /another.*uses it.*another folder/,
      });
      assert.equal(bob.dir, before);
    }
    assert.deepEqual(await bob.sharing.items(), []);
    assert.equal("game/.local.installing/half" in await readTree(alice.dir), true);
    await alice.sharing.stop();
    await bob.sharing.setDir(alice.folder + "/library");
    assert.equal((await bob.sharing.scan()).items, 1);
  },
);

testWithLibp2p(
  "A library whose folder is taken is off, says why, and may have another one",
  async () => {
    await using home = await tempFolder();
    await mkdir(join(home.path, "a"));
    await mkdir(join(home.path, "b"));
    await symlink(join(home.path, "a", "library"), join(home.path, "b", "library"), "dir");
    await using _alice = await LibraryNode.start({ folder: join(home.path, "a") });
    await using bob = await LibraryNode.start({ folder: join(home.path, "b") });
    await assert.rejects(bob.sharing.items(), { code: "unavailable", message: /another.*uses it/ });
    const other = join(home.path, "other");
    await writeTree(join(other, "game"), { "version.ini": "1" });
    await bob.sharing.setDir(other);
    await bob.scanned();
    assert.equal((await bob.sharing.items()).length, 1);
  },
);
