/** Ids that differ only in case: on some file systems their folders would be one. */
import assert from "node:assert/strict";
import { mkdir, readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { readTree, writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode } from "../../support/sharing/library_node.ts";

const signal = () => AbortSignal.timeout(30_000);
const TWIN = /"quake" is here, and names that differ only in case/;

testWithLibp2p("What a peer offers as QUAKE never gets into our quake", async () => {
  await using us = await LibraryNode.start();
  await using peer = await LibraryNode.start();
  await writeTree(join(us.dir, "quake"), { "version.ini": "1", a: "ours" });
  await writeTree(join(peer.dir, "QUAKE"), { "version.ini": "2", a: "theirs" });
  await us.scanned();
  await peer.scanned();
  await us.connect(peer);
  await us.knows("QUAKE");
  const { actions } = us.sharing;
  await assert.rejects(actions.download("QUAKE", { signal: signal() }), {
    code: "failed_precondition",
    message: TWIN,
  });
  const outside = join(us.folder, "Quake");
  await writeTree(outside, { a: "another" });
  await assert.rejects(actions.add({ folder: outside }, signal()), {
    code: "already_exists",
    message: TWIN,
  });
  assert.deepEqual(await readdir(us.dir), ["quake"]);
  assert.equal((await readTree(join(us.dir, "quake")))["a"], "ours");
  const items = await us.sharing.items();
  assert.deepEqual(
    items.map(({ id, downloaded, problem = "" }) => [id, downloaded, TWIN.test(problem)]),
    [["QUAKE", false, true], ["quake", true, false]],
  );
});

testWithLibp2p(
  "Another spelling of an item's id is no item, though it opens its folder",
  async () => {
    await using us = await LibraryNode.start();
    await writeTree(join(us.dir, "quake"), { "version.ini": "1", a: "ours" });
    await us.scanned();
    // Stands for a file system that does not care: the name opens the folder and is not in its list.
    await symlink(join(us.dir, "quake"), join(us.dir, "QUAKE"));
    const { actions } = us.sharing;
    for (const what of ["install", "uninstall", "verify", "repair"] as const) {
      await assert.rejects(actions[what]("QUAKE"), { code: "not_found" }, what);
    }
    assert.deepEqual((await us.sharing.items()).map(({ id }) => id), ["quake"]);
  },
);

testWithLibp2p("Two spellings are not worked at at the same time", async () => {
  const { promise: goOn, resolve: finish } = Promise.withResolvers<void>();
  await using us = await LibraryNode.start({ unpacker: { unpack: () => goOn } });
  // By hand, on a file system that keeps them apart, both can be had.
  for (const id of ["quake", "Quake"]) {
    await mkdir(join(us.dir, id));
    await writeTree(join(us.dir, id), { "version.ini": "1", a: id });
  }
  await us.scanned();
  assert.deepEqual((await us.sharing.items()).map(({ problem }) => problem), [
    undefined,
    undefined,
  ]);
  const { done } = await us.sharing.actions.install("quake");
  await assert.rejects(us.sharing.actions.install("Quake"), { message: /Busy: "quake" is inst/ });
  finish();
  await done;
});
