/** What counts as lasting must have been synced: a power cut follows whenever it likes. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { ChunkWriter } from "../../../src/sharing/chunk_writer.ts";
import { type Files, systemFiles } from "../../../src/sharing/files.ts";
import { fileHash } from "../../../src/sharing/hashing.ts";
import type { Manifest } from "../../../src/sharing/manifest.ts";
import { CHUNK_BYTES } from "../../../src/sharing/names.ts";
import { IndexStore } from "../../../src/sharing/store.ts";
import { createHash } from "node:crypto";
import { tempFolder } from "../../support/temp_folder.ts";

const BYTES = new Uint8Array(CHUNK_BYTES);
const HASH = createHash("sha256").update(BYTES).digest("hex");
const signal = new AbortController().signal;

function manifestOf(chunks: number): Manifest {
  const file = {
    path: "big.bin",
    size: chunks * CHUNK_BYTES,
    chunks: Array.from({ length: chunks }, () => HASH),
    sha256: fileHash(new Uint8Array(chunks * 32)),
  };
  return { id: "game", version: "1", files: [file] };
}

/** A disk whose syncs a test sees and steers. */
function diskWith(onSync: () => Promise<void>): Files {
  return {
    ...systemFiles,
    open: async (path, mode, options) => {
      const file = await systemFiles.open(path, mode, options);
      // The first byte of each chunk is enough for these tests.
      return {
        ...file,
        write: (bytes, at) => file.write(bytes.subarray(0, 1), at),
        sync: async () => {
          await onSync();
          await file.sync();
        },
      };
    },
  };
}

async function scene(chunks: number, onSync: () => Promise<void>) {
  const folder = await tempFolder();
  const store = IndexStore.open(join(folder.path, "index.db"), folder.path);
  const root = join(folder.path, "game");
  await systemFiles.makeFolder(root);
  const make = () =>
    new ChunkWriter({ files: diskWith(onSync), store }, { root, manifest: manifestOf(chunks) });
  const write = (writer: ChunkWriter, chunk: number) =>
    writer.write({ index: chunk, file: 0, chunk, length: CHUNK_BYTES }, BYTES);
  return {
    ...{ store, make, write },
    [Symbol.asyncDispose]: async () => {
      store.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

Deno.test("ChunkWriter.checkpoint() vouches for no chunk that came after the sync", async () => {
  const goOn = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  await using here = await scene(3, () => {
    begun.resolve();
    return goOn.promise;
  });
  const writer = here.make();
  await writer.prepare(signal);
  await here.write(writer, 0);
  const checkpoint = writer.checkpoint();
  await begun.promise; // its sync is under way
  await here.write(writer, 1);
  goOn.resolve();
  await checkpoint;
  const synced = here.store.parts("game").map(({ chunk, isSynced }) => [chunk, isSynced]);
  assert.deepEqual(synced, [[0, true], [1, false]]);
  await writer.close();
});

Deno.test("ChunkWriter.finish() fails when a sync on the way has failed", async () => {
  let syncs = 0;
  // The kernel tells of lost pages once; the next sync succeeds all the same.
  await using here = await scene(40, () => {
    const failure = Object.assign(new TypeError("EIO: i/o error, fsync"), { code: "EIO" });
    return ++syncs === 1 ? Promise.reject(failure) : Promise.resolve();
  });
  const writer = here.make();
  await writer.prepare(signal);
  for (let chunk = 0; chunk < 40; chunk++) await here.write(writer, chunk);
  await assert.rejects(writer.finish(), { code: "EIO" });
  const kept = here.store.parts("game").map(({ chunk, isSynced }) => [chunk, isSynced]);
  assert.equal(kept.length, 8, "what the first sync was about is fetched anew");
  await writer.close();
});

Deno.test("ChunkWriter.finish() syncs files that a run before wrote and did not sync", async () => {
  let syncs = 0;
  await using here = await scene(2, () => Promise.resolve(void syncs++));
  const first = here.make();
  await first.prepare(signal);
  for (const chunk of [0, 1]) await here.write(first, chunk);
  await first.close(); // as a kill leaves it: written and noted, not synced
  assert.equal(syncs, 0);
  const second = here.make();
  await second.resume(signal);
  assert.deepEqual([second.has(0, 0), second.has(0, 1)], [true, true]);
  await second.prepare(signal);
  await second.finish();
  assert.equal(syncs, 1);
});
