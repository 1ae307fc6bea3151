/** Items that are written past the system's cache. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Files, systemFiles } from "../../../src/sharing/files.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode, noiseBytes } from "../../support/sharing/library_node.ts";

const MIB = 1_024 * 1_024;

testWithLibp2p(
  "An item that is large enough is written past the cache, and its update keeps what stays",
  async () => {
    const ways = new Map<string, boolean>();
    const files: Files = {
      ...systemFiles,
      open(path, mode, options) {
        const isDirect = options?.thread !== undefined;
        if (path.endsWith(".bin")) ways.set(path, isDirect || (ways.get(path) ?? false));
        return systemFiles.open(path, mode, options);
      },
    };
    await using seed = await LibraryNode.start();
    await using us = await LibraryNode.start({ files, directItemBytes: 10 * MIB });
    const large = noiseBytes(12 * MIB + 123, 1);
    const trees = [
      { "version.ini": "1", "a.bin": large, "sub/b.bin": noiseBytes(300_000, 2), "c.bin": "c" },
      { "version.ini": "2", "a.bin": large.with(5 * MIB, 7), "sub/b.bin": noiseBytes(299_999, 3) },
    ];
    await writeTree(join(seed.dir, "small"), { "version.ini": "1", "s.bin": noiseBytes(MIB) });
    await us.connect(seed);
    for (const tree of trees) {
      await writeTree(join(seed.dir, "large"), tree);
      await seed.scanned();
      await us.knows("large");
      const before = seed.sharing.served.bytes;
      await us.get("large");
      for (const [path, content] of Object.entries(tree)) {
        const wanted = typeof content === "string" ? new TextEncoder().encode(content) : content;
        assert.equal((await readFile(join(us.dir, "large", path))).equals(wanted), true, path);
      }
      const most = tree["version.ini"] === "1" ? 13 * MIB : 5 * MIB;
      assert.equal(seed.sharing.served.bytes - before < most, true, tree["version.ini"]);
    }
    await us.knows("small");
    await us.get("small");
    assert.equal(ways.get(join(us.dir, "large", "a.bin")), true);
    assert.equal(ways.get(join(us.dir, "small", "s.bin")), false);
  },
);
