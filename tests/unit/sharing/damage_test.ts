/** Damage to what is here: found by a verification, healed by fetching again. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { open, readFile, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { type Files, systemFiles } from "../../../src/sharing/files.ts";
import { CHUNK_BYTES } from "../../../src/sharing/names.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { readTree, writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode, noiseBytes } from "../../support/sharing/library_node.ts";

const BYTES = noiseBytes(3 * CHUNK_BYTES + 5);

testWithLibp2p("What a verification finds damaged is fetched anew, and nothing else", async () => {
  await using seed = await LibraryNode.start();
  await writeTree(join(seed.dir, "game"), { "version.ini": "1", "a.bin": BYTES, "b.bin": BYTES });
  await seed.scanned();
  await using us = await LibraryNode.start();
  await us.connect(seed);
  await us.knows("game");
  await us.get("game");
  const path = join(us.dir, "game", "a.bin");
  const { atime, mtime } = await stat(path);
  const file = await open(path, "r+");
  await file.write(Uint8Array.of(1, 2, 3), 0, 3, CHUNK_BYTES + 7);
  await file.close();
  await utimes(path, atime, mtime); // as a disk does that forgets
  const found = await (await us.sharing.actions.verify("game")).done;
  assert.deepEqual(found.damaged, ["a.bin"]);
  const before = seed.sharing.served.bytes;
  await us.get("game");
  assert.equal(Buffer.compare(await readFile(path), BYTES), 0, "it is whole again");
  // The sentinel, and the short last chunk of a file that nobody doubts, come again.
  assert.equal(seed.sharing.served.bytes - before < CHUNK_BYTES + 100, true);
  assert.deepEqual((await (await us.sharing.actions.verify("game")).done).damaged, []);
});

testWithLibp2p(
  "A file that the disk cannot read is damaged, the others are read all the same",
  async () => {
    let isBad = false;
    const files: Files = {
      ...systemFiles,
      open: async (path, mode, options) => {
        const file = await systemFiles.open(path, mode, options);
        if (!isBad || !path.endsWith("a.bin")) return file;
        const failure = Object.assign(new TypeError("EIO: i/o error, read"), { code: "EIO" });
        return { ...file, read: () => Promise.reject(failure) };
      },
    };
    await using us = await LibraryNode.start({ files });
    await writeTree(join(us.dir, "game"), { "version.ini": "1", "a.bin": BYTES, "b.bin": "b" });
    await us.scanned();
    isBad = true;
    const found = await (await us.sharing.actions.verify("game")).done;
    assert.deepEqual([found.files, found.damaged], [3, ["a.bin"]]);
  },
);

testWithLibp2p(
  "What is no file under the sentinel's names is left alone, before anything is fetched",
  async () => {
    await using seed = await LibraryNode.start();
    await writeTree(join(seed.dir, "game"), { "version.ini": "1", "a.bin": "a" });
    await seed.scanned();
    for (const name of ["version.ini", ".version.ini.tmp", ".version.ini.discarded"]) {
      await using us = await LibraryNode.start();
      await us.connect(seed);
      await us.knows("game");
      await writeTree(join(us.dir, "game"), { [`${name}/mine.txt`]: "mine" });
      const before = await readTree(us.dir);
      await assert.rejects(us.get("game"), {
        code: "failed_precondition",
        message: /move it away/,
      });
      assert.deepEqual(await readTree(us.dir), before, name);
    }
  },
);
