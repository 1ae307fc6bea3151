/** Items whose manifest is longer than any peer accepts: their owner is told, and nobody else. */
import { configureSync, resetSync } from "@logtape/logtape";
import assert from "node:assert/strict";
import { mkdir, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { manifestAnswer } from "../../../src/sharing/answers.ts";
import { fileHash } from "../../../src/sharing/hashing.ts";
import type { Manifest } from "../../../src/sharing/manifest.ts";
import { manifestBytes } from "../../../src/sharing/manifest_length.ts";
import { MAX_ANSWER_BYTES, varint } from "../../../src/sharing/messages.ts";
import { CHUNK_BYTES, chunkCount } from "../../../src/sharing/names.ts";
import { IndexStore } from "../../../src/sharing/store.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode } from "../../support/sharing/library_node.ts";
import { tempFolder } from "../../support/temp_folder.ts";

Deno.test("manifestBytes() is what a manifest takes when it is sent", async () => {
  const hash = "0".repeat(64);
  const fileOf = (path: string, size: number) => ({
    ...{ path, size, sha256: hash, chunks: Array(chunkCount(size)).fill(hash) },
  });
  const files = [
    ...[fileOf("version.ini", 1), fileOf("empty", 0), fileOf("a/b c.bin", 3 * CHUNK_BYTES + 1)],
    ...[fileOf('quo"ted', 12_345), fileOf("字/ö.txt", CHUNK_BYTES), fileOf("back\\slash", 9)],
  ];
  for (const count of [0, 1, files.length]) {
    const manifest: Manifest = { id: "game", version: "1.ö", files: files.slice(0, count) };
    const { byteLength } = await manifestAnswer(manifest);
    const told = manifestBytes("game", "1.ö", manifest.files);
    assert.equal(told, byteLength - varint(told).byteLength, `${count} files`);
  }
});

// A file with so many chunks, as the index knows it: nothing of its bytes is written or read.
async function hugeItem(folder: string): Promise<void> {
  const library = join(folder, "library");
  const root = join(library, "huge");
  for (const path of [root, join(folder, "data")]) await mkdir(path, { recursive: true });
  const chunks = Math.ceil(MAX_ANSWER_BYTES / 66);
  await writeFile(join(root, "version.ini"), "1");
  await writeFile(join(root, "disk.img"), "");
  await truncate(join(root, "disk.img"), chunks * CHUNK_BYTES);
  const store = IndexStore.open(join(folder, "data", "library_index.db"), library);
  const { mtimeMs } = await stat(join(root, "disk.img"));
  const hashes = new Uint8Array(chunks * 32);
  assert.equal(fileHash(hashes).length, 64);
  store.putFile("huge", {
    ...{ path: "disk.img", size: chunks * CHUNK_BYTES, chunks: hashes },
    mtimeMs: Math.trunc(mtimeMs),
  });
  store.close();
}

function warnings(): { readonly reasons: string[]; [Symbol.dispose](): void } {
  const reasons: string[] = [];
  configureSync({
    reset: true,
    sinks: {
      lines: ({ message, properties }) => {
        if (message.join("") === "An item is not shared") reasons.push(`${properties["reason"]}`);
      },
    },
    loggers: [
      { category: "almenad", sinks: ["lines"], lowestLevel: "warning" },
      { category: ["logtape", "meta"], lowestLevel: "error" },
    ],
  });
  return { reasons, [Symbol.dispose]: () => resetSync() };
}

// Elsewhere such a file would need the room that it has.
if (process.platform === "linux") {
  testWithLibp2p(
    "An item that no peer could read is not listed, and its owner is told",
    async () => {
      await using folder = await tempFolder();
      await hugeItem(folder.path);
      using warned = warnings();
      await using owner = await LibraryNode.start({ folder: folder.path });
      await writeTree(join(owner.dir, "game"), { "version.ini": "1", "data.bin": "some" });
      await owner.scanned();
      await owner.scanned();
      await using us = await LibraryNode.start();
      await us.connect(owner);
      await us.knows("game");
      assert.equal(us.sharing.peers.latest("huge"), undefined);
      const [game, huge] = await owner.sharing.items();
      assert.equal(game?.notListed, undefined);
      assert.equal(huge?.downloaded, true);
      assert.match(huge?.notListed ?? "", /longer than the 32 MiB that peers accept/);
      assert.deepEqual(warned.reasons, [huge?.notListed]);
      await assert.rejects(us.get("huge"), { code: "not_found" });
    },
  );
}
