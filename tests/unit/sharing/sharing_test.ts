import assert from "node:assert/strict";
import { join } from "node:path";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { readTree, tarGzOf, writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode, noiseBytes } from "../../support/sharing/library_node.ts";

testWithLibp2p("Actions.download() fetches from two peers at once, and installs", async () => {
  const content = {
    "version.ini": "version=1.0\n",
    "data.tar.gz": await tarGzOf({ "run.txt": "hello" }),
    "big.bin": noiseBytes(40 * 1024 * 1024),
    "sub/empty.txt": "",
  };
  await using alice = await LibraryNode.start();
  await using bob = await LibraryNode.start();
  await using carol = await LibraryNode.start();
  for (const peer of [alice, bob]) {
    await writeTree(join(peer.dir, "game"), content);
    await peer.scanned();
    await carol.connect(peer);
  }
  await carol.knows("game", 2);
  await carol.get("game", true);
  const [theirs, ours] = [
    await readTree(join(alice.dir, "game")),
    await readTree(join(carol.dir, "game")),
  ];
  for (const [path, bytes] of Object.entries(theirs)) {
    assert.equal(ours[path] === bytes, true, path);
  }
  assert.equal(ours["local/run.txt"], "hello");
  assert.equal(alice.sharing.served.bytes > 0 && bob.sharing.served.bytes > 0, true);
  const [item] = await carol.sharing.items();
  assert.deepEqual([item?.id, item?.downloaded, item?.version], ["game", true, "1.0"]);
});
