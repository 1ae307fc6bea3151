/** Damage to what is here: found by a verification, healed by fetching again. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { open, readFile, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { ChunkWriter } from "../../../src/sharing/chunk_writer.ts";
import { type Files, systemFiles } from "../../../src/sharing/files.ts";
import { CHUNK_BYTES } from "../../../src/sharing/names.ts";
import { IndexStore } from "../../../src/sharing/store.ts";
import { fetchWholeFile } from "../../../src/sharing/whole_file.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { readTree, writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode, noiseBytes } from "../../support/sharing/library_node.ts";
import { tempFolder } from "../../support/temp_folder.ts";

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

Deno.test("A whole file that nobody gives costs nothing that was verified before", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "a.bin");
  const hashOf = (index: number) => createHash("sha256").update(chunkOf(index)).digest("hex");
  const chunkOf = (index: number) => BYTES.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
  const chunks = [0, 1, 2, 3].map(hashOf);
  const file = { path: "a.bin", size: BYTES.byteLength, sha256: "", chunks };
  const manifest = { id: "game", version: "1", files: [file] };
  const store = IndexStore.open(join(folder.path, "index.db"), folder.path);
  const writer = new ChunkWriter({ files: systemFiles, store }, { root: folder.path, manifest });
  const { signal } = new AbortController();
  await writer.prepare(signal);
  const chunk = (index: number) => ({
    index,
    file: 0,
    chunk: index,
    length: chunkOf(index).length,
  });
  await writer.write(chunk(1), chunkOf(1));
  const fetchWhole = (given: readonly Uint8Array[]) =>
    fetchWholeFile(
      {
        client: {
          fetchFile: async (_peer, _file, onChunk) => {
            for (const [index, bytes] of given.entries()) await onChunk(index, bytes);
          },
        },
        writer,
        onBadChunk: () => undefined,
      },
      { manifest, chunk: chunk(0), peers: ["a"] },
      signal,
    );
  await assert.rejects(fetchWhole([new Uint8Array(CHUNK_BYTES)]), { code: "unavailable" });
  assert.deepEqual([0, 1, 2, 3].map((index) => writer.has(0, index)), [false, true, false, false]);
  assert.equal((await stat(path)).size, BYTES.byteLength);
  assert.equal(await fetchWhole([0, 1, 2, 3].map(chunkOf)), "a");
  await writer.finish();
  assert.equal(Buffer.compare(await readFile(path), BYTES), 0);
  store.close();
});

testWithLibp2p(
  "An item whose id differs only in case from one that is here touches nothing of it",
  async () => {
    await using seed = await LibraryNode.start();
    await writeTree(join(seed.dir, "GAME"), { "version.ini": "2", "a.bin": "theirs" });
    await seed.scanned();
    // As on disks that know no difference between the two.
    const same = (path: string) => path.replace(/GAME/g, "game");
    const files: Files = {
      ...systemFiles,
      facts: (path) => systemFiles.facts(same(path)),
      list: (path) => systemFiles.list(same(path)),
      open: (path, mode, options) => systemFiles.open(same(path), mode, options),
      makeFolder: (path) => systemFiles.makeFolder(same(path)),
      rename: (from, to) => systemFiles.rename(same(from), same(to)),
      removeFile: (path) => systemFiles.removeFile(same(path)),
      syncFolder: (path) => systemFiles.syncFolder(same(path)),
      freeBytes: (path) => systemFiles.freeBytes(same(path)),
    };
    await using us = await LibraryNode.start({ files });
    await writeTree(join(us.dir, "game"), { "version.ini": "1", "a.bin": "ours" });
    await us.scanned();
    await us.connect(seed);
    await us.knows("GAME");
    const before = await readTree(us.dir);
    await assert.rejects(us.get("GAME"), { code: "failed_precondition", message: /only in case/ });
    assert.deepEqual(await readTree(us.dir), before);
  },
);

testWithLibp2p("An item whose recovery is in the way of something says what to do", async () => {
  await using home = await tempFolder();
  const intent = {
    ...{ schema: 1, state: "Updating", phase: "swap", from_version: "1", to_version: "2" },
    ...{ installed_version: "1", started_at: null, pid: null },
  };
  await writeTree(join(home.path, "library", "game"), {
    ...{ "version.ini": "2", ".lanspread.json": JSON.stringify(intent), "local": "a file" },
    ...{ ".local.backup/.lanspread_owned": "", ".local.backup/a.txt": "a 1" },
  });
  await using us = await LibraryNode.start({ folder: home.path });
  await us.scanned();
  assert.match((await us.sharing.items())[0]?.problem ?? "", /local.*almenad library repair game/);
  await assert.rejects(us.sharing.actions.install("game"), { code: "failed_precondition" });
  await rm(join(us.dir, "game", "local"));
  await us.sharing.actions.repair("game");
  assert.equal((await us.sharing.items())[0]?.problem, undefined);
  assert.equal((await readTree(us.dir))["game/local/a.txt"], "a 1");
});
