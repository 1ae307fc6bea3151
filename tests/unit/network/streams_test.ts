import assert from "node:assert/strict";
import type { Stream } from "@libp2p/interface";
import { pause } from "../../../src/core/mod.ts";
import { MAX_WRITE_BYTES, readAll, widenWindow, writeAll } from "../../../src/network/streams.ts";
import { createPair, testWithLibp2p } from "../../support/libp2p_pair.ts";

const PROTOCOL = "/test/streams/1.0";
const LIMITS = { maxBytes: 64 * 1024 * 1024, timeoutMs: 20_000 };

/** A stream between two nodes, both ends. */
async function withStream(
  run: (near: Stream, far: Stream) => Promise<void>,
): Promise<void> {
  await using pair = await createPair();
  const arrived = Promise.withResolvers<Stream>();
  await pair.listener.handle(PROTOCOL, (stream) => arrived.resolve(stream));
  const connection = await pair.connect();
  const near = await connection.newStream(PROTOCOL);
  await run(near, await arrived.promise);
}

testWithLibp2p(
  "writeAll() and readAll() carry bytes unchanged, at every size around the limits",
  () =>
    withStream(async (near, far) => {
      const sizes = [0, 1, MAX_WRITE_BYTES - 1, MAX_WRITE_BYTES, MAX_WRITE_BYTES + 1, 1_000_000];
      const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size)).map((_, n) => n * 7);
      const reading = readAll(far, LIMITS);
      let offset = 0;
      for (const size of sizes) {
        await writeAll(near, bytes.subarray(offset, offset + size));
        offset += size;
      }
      await near.close();
      assert.deepEqual(await reading, bytes);
    }),
);

testWithLibp2p(
  "writeAll() waits for a reader that holds back, instead of filling memory",
  () =>
    withStream(async (near, far) => {
      let isDone = false;
      const bytes = new Uint8Array(16 * 1024 * 1024);
      far.pause(); // iterating slowly does not hold back: what arrives is queued
      const writing = writeAll(near, bytes).then(() => isDone = true);
      await pause(300);
      assert.equal(isDone, false);
      const closing = writing.then(() => near.close());
      far.resume();
      assert.equal((await readAll(far, LIMITS)).byteLength, bytes.byteLength);
      await closing;
    }),
);

testWithLibp2p(
  "writeAll() gives up when the peer resets the stream",
  () =>
    withStream(async (near, far) => {
      const writing = writeAll(near, new Uint8Array(8 * 1024 * 1024));
      far.abort(new TypeError("go away"));
      await assert.rejects(writing, { code: "aborted" });
      await assert.rejects(writeAll(near, new Uint8Array(1)), { code: "aborted" });
    }),
);

testWithLibp2p("writeAll() ends when its signal aborts", () =>
  withStream(async (near, far) => {
    const controller = new AbortController();
    far.pause();
    const writing = writeAll(near, new Uint8Array(8 * 1024 * 1024), controller.signal);
    await pause(50);
    controller.abort();
    await assert.rejects(writing, { code: "cancelled" });
    near.abort(new TypeError("done"));
    far.abort(new TypeError("done"));
  }));

testWithLibp2p(
  "readAll() refuses a peer that sends more than allowed",
  () =>
    withStream(async (near, far) => {
      const reading = readAll(far, { maxBytes: 4_096, timeoutMs: 10_000 });
      await writeAll(near, new Uint8Array(4_096));
      await writeAll(near, new Uint8Array(1));
      await assert.rejects(reading, { code: "resource_exhausted", message: /4096 bytes/ });
      near.abort(new TypeError("done"));
    }),
);

testWithLibp2p("readAll() takes exactly what is allowed", () =>
  withStream(async (near, far) => {
    const reading = readAll(far, { maxBytes: 4_096, timeoutMs: 10_000 });
    await writeAll(near, new Uint8Array(4_096));
    await near.close();
    assert.equal((await reading).byteLength, 4_096);
  }));

testWithLibp2p(
  "readAll() gives up on a peer that never ends its side",
  () =>
    withStream(async (near, far) => {
      const reading = readAll(far, { maxBytes: 4_096, timeoutMs: 50 });
      await writeAll(near, new Uint8Array(1));
      await assert.rejects(reading, { code: "deadline_exceeded" });
      near.abort(new TypeError("done"));
      far.abort(new TypeError("done"));
    }),
);

testWithLibp2p(
  "widenWindow() carries bytes unchanged, with fewer words about room, and still holds back",
  () =>
    withStream(async (near, far) => {
      let updates = 0;
      const sending = near as unknown as { handleWindowUpdate(frame: unknown): void };
      const handle = sending.handleWindowUpdate.bind(near);
      sending.handleWindowUpdate = (frame) => {
        updates++;
        handle(frame);
      };
      widenWindow(far, 1024 * 1024);
      const bytes = new Uint8Array(16 * 1024 * 1024).map((_, n) => n * 7);
      far.pause();
      let isDone = false;
      const writing = writeAll(near, bytes).then(() => isDone = true);
      await pause(300);
      assert.equal(isDone, false);
      const closing = writing.then(() => near.close());
      far.resume();
      assert.deepEqual(await readAll(far, LIMITS), bytes);
      await closing;
      const frames = bytes.byteLength / MAX_WRITE_BYTES;
      assert.ok(updates < frames / 2, `${updates} for ${frames} frames`);
    }),
);
