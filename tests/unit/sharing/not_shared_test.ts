/** What of an item peers do not get, where its owner looks. */
import assert from "node:assert/strict";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { listItems } from "../../../src/operations/sharing.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode } from "../../support/sharing/library_node.ts";

const isWindows = Deno.build.os === "windows"; // links need rights there

if (!isWindows) {
  testWithLibp2p("library.items tells which files of an item are not shared, and why", async () => {
    await using us = await LibraryNode.start();
    await writeTree(join(us.dir, "fine"), { "version.ini": "1", "a.txt": "a" });
    await writeTree(join(us.dir, "game"), { "version.ini": "1", "a.txt": "a" });
    await writeTree(join(us.dir, "nothing"), { "a.txt": "not downloaded" });
    await symlink("a.txt", join(us.dir, "nothing", "link"));
    for (let n = 0; n < 30; n++) await symlink("a.txt", join(us.dir, "game", `link-${n}`));
    await us.scanned();
    const context = { signal: AbortSignal.timeout(5_000) };
    const list = async (input: { id?: string }) => {
      const answer = await listItems.run(input, { sharing: us.sharing }, context);
      return new Map(
        listItems.output.parse(answer).items.map(({ id, not_shared }) => [id, not_shared]),
      );
    };
    const all = await list({});
    assert.deepEqual([all.get("fine"), all.get("nothing")], [undefined, undefined]);
    assert.deepEqual([all.get("game")?.count, all.get("game")?.files.length], [30, 3]);
    const one = (await list({ id: "game" })).get("game");
    assert.deepEqual([one?.count, one?.files.length], [30, 20]);
    const reasons = new Set(one?.files.map(({ reason }) => reason));
    assert.equal(reasons.has("it is no regular file"), true, [...reasons].join());
  });
}
