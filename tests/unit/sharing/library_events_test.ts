/** Every event of contract 5.6, each at its moment (L15, L50); and a list that is told in time (L20). */
import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LIBRARY_EVENTS } from "../../../src/sharing/events.ts";
import { type Files, systemFiles } from "../../../src/sharing/files.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { tarGzOf, writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode } from "../../support/sharing/library_node.ts";
import { waitFor } from "../../support/wait.ts";

const signal = () => AbortSignal.timeout(30_000);

/** A disk on which nothing installed can be moved aside while it is broken. */
class StuckFiles {
  isBroken = false;
  readonly files: Files = {
    ...systemFiles,
    rename: (from, to) => {
      if (!this.isBroken || !to.endsWith(".local.backup")) return systemFiles.rename(from, to);
      return Promise.reject(Object.assign(new TypeError("EIO: injected"), { code: "EIO" }));
    },
  };
}

/** Notes which events were told while something was done. */
function listener(node: LibraryNode) {
  const seen = new Set<string>();
  const told = () => new Set(node.events.map(({ topic }) => topic.replace("library.", "")));
  const expect = async (during: () => Promise<unknown>, ...names: string[]) => {
    node.events.length = 0;
    await during();
    await waitFor(`${names}`, () => names.every((name) => told().has(name)), 10_000);
    for (const name of names) seen.add(name);
  };
  return { seen, expect };
}

testWithLibp2p("Each event of the contract is told at its moment (L15, L50)", async () => {
  const disk = new StuckFiles();
  await using alice = await LibraryNode.start();
  await using bob = await LibraryNode.start({ files: disk.files });
  const { seen, expect } = listener(bob);
  const game = { "version.ini": "1", "d.tar.gz": await tarGzOf({ x: "x" }) };
  await writeTree(join(alice.dir, "game"), game);
  await writeTree(join(alice.dir, "bad"), { "version.ini": "1", "d.tar.gz": "no archive" });
  await alice.scanned();
  await expect(
    () => bob.connect(alice),
    ...["peer-discovered", "peer-connected", "peer-count-updated", "games-list-updated"],
  );
  await bob.knows("game");
  await expect(() => bob.sharing.actions.fetchLatest("game", signal()), "got-game-files");
  await expect(
    () => bob.get("game", true),
    ...["game-download-begin", "game-download-progress", "game-download-finished"],
    ...["game-install-begin", "game-install-finished"],
  );
  await expect(async () => await assert.rejects(bob.get("bad", true)), "game-install-failed");
  disk.isBroken = true;
  await expect(
    async () => await assert.rejects((await bob.sharing.actions.uninstall("game")).done),
    ...["game-uninstall-begin", "game-uninstall-failed"],
  );
  disk.isBroken = false;
  await bob.sharing.actions.repair("game");
  await expect(
    async () => await (await bob.sharing.actions.install("game")).done,
    "game-install-finished",
  );
  await expect(
    async () => await (await bob.sharing.actions.uninstall("game")).done,
    "game-uninstall-finished",
  );
  await expect(
    () => assert.rejects(bob.sharing.actions.fetchLatest("nobodys", signal())),
    "no-peers-have-game",
  );
  await expect(async () => {
    await mkdir(join(bob.dir, "foreign", "version.ini"), { recursive: true });
    await writeTree(join(alice.dir, "foreign"), { "version.ini": "1", a: "a" });
    await alice.scanned();
    await bob.knows("foreign");
    await assert.rejects(bob.get("foreign"));
  }, "game-download-failed");
  await expect(
    () => writeTree(join(bob.dir, "new"), { "version.ini": "1" }),
    "local-library-changed",
  );
  await expect(async () => await alice.node.stop(), "peer-disconnected");
  const other = join(bob.folder, "other");
  await writeTree(other, { "torn/.lanspread.json": "{" });
  await expect(() => bob.sharing.setDir(other), "runtime-failed");
  assert.deepEqual([...seen].sort(), Object.keys(LIBRARY_EVENTS).sort());
});

testWithLibp2p("A version.ini that comes or goes is told within two seconds (L20)", async () => {
  await using us = await LibraryNode.start();
  await writeTree(join(us.dir, "one"), { a: "a" });
  await us.scanned();
  for (const isThere of [true, false]) {
    us.events.length = 0;
    const sentinel = join(us.dir, "one", "version.ini");
    await (isThere ? writeFile(sentinel, "1") : rm(sentinel));
    const at = performance.now();
    const isTold = () => us.events.some(({ topic }) => topic === "library.games-list-updated");
    await waitFor(
      "the list",
      async () => isTold() && (await us.sharing.items())[0]?.downloaded === isThere,
    );
    const ms = performance.now() - at;
    assert.equal(ms < 2_000, true, `${ms} ms`);
  }
});
