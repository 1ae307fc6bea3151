import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { pause } from "../../../src/core/mod.ts";
import { ChunkMemory } from "../../../src/sharing/chunk_memory.ts";
import { ChunkThread } from "../../../src/sharing/chunk_thread.ts";
import type { ChunkWriter } from "../../../src/sharing/chunk_writer.ts";
import { Downloader } from "../../../src/sharing/downloader.ts";
import type { Chunk } from "../../../src/sharing/planned.ts";
import { waitFor } from "../../support/wait.ts";

const CHUNK = 4 * 1_024 * 1_024;
const thread = new ChunkThread(new ChunkMemory());

/** Notes what is written. */
class Written {
  readonly chunks: number[] = [];
  readonly missingBytes = 3 * CHUNK;
  restart(): Promise<void> {
    return Promise.resolve();
  }
  has(_file: number, chunk: number): boolean {
    return this.chunks.includes(chunk);
  }
  write({ chunk }: Chunk): Promise<void> {
    this.chunks.push(chunk);
    return Promise.resolve();
  }
}

type Client = ConstructorParameters<typeof Downloader>[0]["client"];

/** Of an item of one file, three chunks of zeros. */
function downloaderOf(
  written: Written,
  sources: ReadonlyMap<string, ReadonlySet<string>>,
  client: Omit<Client, "getHave">,
): Downloader {
  const hash = createHash("sha256").update(new Uint8Array(CHUNK)).digest("hex");
  const chunks = [hash, hash, hash];
  return new Downloader({
    clock: { monotonic: () => performance.now() },
    client: { ...client, getHave: () => Promise.reject(new TypeError("not asked for")) },
    writer: written as unknown as ChunkWriter,
    thread,
    peers: () => [],
    onProgress: () => undefined,
  }, {
    manifest: {
      ...{ id: "item", version: "1" },
      files: [{ path: "a", size: 3 * CHUNK, sha256: "", chunks }],
    },
    sources,
  });
}

Deno.test("Downloader lets go of a chunk that another peer brought before its bytes were looked at", async () => {
  const written = new Written();
  const sources = new Map([["slow", new Set<string>()], ["fast", new Set<string>()]]);
  const downloader: Downloader = downloaderOf(written, sources, {
    // The slow one sends everything, and is done when the fast one has been it all the same.
    fetchChunk: async (peerId, { offset }, buffer) => {
      buffer.fill(0);
      if (peerId === "slow") {
        await waitFor("the other peer", () => written.has(0, offset / CHUNK), 10_000);
      } else downloader.received(peerId, buffer.byteLength);
    },
    fetchFile: () => Promise.reject(new TypeError("not asked for")),
  });
  await downloader.run(AbortSignal.timeout(20_000)).finally(() => thread.end());
  assert.deepEqual(written.chunks.toSorted(), [0, 1, 2]);
  const streams = downloader.plan.states(performance.now()).map(({ streams }) => streams);
  assert.deepEqual(streams, [0, 0], "nobody is asked for anything any more");
  assert.equal(downloader.facts().chunksDone, 3);
});

Deno.test("Downloader fetches a file as a whole while a peer still drips a chunk of it", async () => {
  const written = new Written();
  const failing = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const sources = new Map(["drip", ...failing].map((peerId) => [peerId, new Set<string>()]));
  const dripping = new Set<number>();
  const downloader: Downloader = downloaderOf(written, sources, {
    fetchChunk: async (peerId, { offset }, _buffer, signal) => {
      if (peerId !== "drip") throw new TypeError("the disk is broken");
      dripping.add(offset);
      for (; !signal.aborted; await pause(20, signal)) downloader.received(peerId, 1);
      signal.throwIfAborted();
    },
    fetchFile: async (peerId, _file, onChunk) => {
      if (peerId === "drip") throw new TypeError("it never ends");
      for (const index of [0, 1, 2]) await onChunk(index, new Uint8Array(CHUNK));
    },
  });
  await downloader.run(AbortSignal.timeout(4_000)).finally(() => thread.end());
  assert.equal(dripping.size, 1);
  assert.deepEqual(written.chunks.toSorted(), [0, 1, 2]);
  const { bytesDone, chunksDone } = downloader.facts();
  assert.deepEqual([bytesDone, chunksDone], [3 * CHUNK, 3]);
});
