/** Files of an item that have another name elsewhere. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { link, mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ChunkWriter } from "../../../src/sharing/chunk_writer.ts";
import { systemFiles } from "../../../src/sharing/files.ts";
import type { Manifest } from "../../../src/sharing/manifest.ts";
import { CHUNK_BYTES } from "../../../src/sharing/names.ts";
import { IndexStore } from "../../../src/sharing/store.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { readTree, writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode, noiseBytes } from "../../support/sharing/library_node.ts";
import { tempFolder } from "../../support/temp_folder.ts";

const BYTES = noiseBytes(CHUNK_BYTES + 5);

testWithLibp2p("An update leaves files alone that share their bytes with it", async () => {
  await using seed = await LibraryNode.start();
  const tree = { "a.bin": BYTES, "longer.txt": "x", "shorter.txt": "long", "same.txt": "same" };
  await writeTree(join(seed.dir, "game"), { "version.ini": "1", ...tree });
  await seed.scanned();
  await using us = await LibraryNode.start();
  await us.connect(seed);
  await us.knows("game");
  await us.get("game");
  const backup = join(us.folder, "backup");
  await mkdir(backup);
  for (const name of Object.keys(tree)) {
    await link(join(us.dir, "game", name), join(backup, name));
  }
  const before = await readTree(backup);
  const newer = noiseBytes(CHUNK_BYTES + 5);
  newer[CHUNK_BYTES + 1] = 7; // the first chunk stays as it was
  const changed = { "a.bin": newer, "longer.txt": "longer", "shorter.txt": "" };
  await writeTree(join(seed.dir, "game"), { "version.ini": "2", ...changed });
  await seed.scanned();
  await us.knows("game");
  await us.get("game");
  assert.deepEqual(await readTree(backup), before, "the other names show what they showed");
  for (const [name, content] of Object.entries({ ...tree, ...changed })) {
    const bytes = await readFile(join(us.dir, "game", name));
    assert.equal(Buffer.compare(bytes, Buffer.from(content)), 0, name);
  }
  assert.equal((await stat(join(us.dir, "game", "same.txt"))).nlink, 2, "it was not to be changed");
});

Deno.test("ChunkWriter.resume() finds nothing of a file that was made afresh but what came since", async () => {
  await using folder = await tempFolder();
  const chunksOf = (
    bytes: Uint8Array,
  ) => [bytes.subarray(0, CHUNK_BYTES), bytes.subarray(CHUNK_BYTES)];
  const parts = chunksOf(BYTES);
  const chunks = parts.map((part) => createHash("sha256").update(part).digest("hex"));
  const file = { path: "a.bin", size: BYTES.byteLength, sha256: "", chunks };
  const manifest: Manifest = { id: "game", version: "1", files: [file] };
  const store = IndexStore.open(join(folder.path, "index.db"), folder.path);
  const { signal } = new AbortController();
  const writer = () =>
    new ChunkWriter({ files: systemFiles, store }, { root: folder.path, manifest });
  const write = (to: ChunkWriter, chunk: number) => {
    const bytes = parts[chunk] ?? new Uint8Array();
    return to.write({ index: chunk, file: 0, chunk, length: bytes.byteLength }, bytes);
  };
  const first = writer();
  await first.prepare(signal);
  await write(first, 0);
  await first.checkpoint();
  await first.close();
  await link(join(folder.path, "a.bin"), join(folder.path, "elsewhere.bin"));
  const before = await readFile(join(folder.path, "elsewhere.bin"));
  const second = writer();
  await second.resume(signal);
  assert.equal(second.missingBytes, BYTES.byteLength, "room for all of it is asked for");
  await second.prepare(signal);
  await write(second, 1);
  await second.checkpoint();
  await second.close();
  const third = writer();
  await third.resume(signal);
  assert.deepEqual([third.has(0, 0), third.has(0, 1)], [false, true]);
  await third.prepare(signal);
  await write(third, 0);
  await third.finish();
  assert.equal(Buffer.compare(await readFile(join(folder.path, "a.bin")), BYTES), 0);
  assert.equal(Buffer.compare(await readFile(join(folder.path, "elsewhere.bin")), before), 0);
  store.close();
});
