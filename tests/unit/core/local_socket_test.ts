import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import process from "node:process";
import { buffer } from "node:stream/consumers";
import {
  connectLocal,
  DaemonError,
  isLive,
  listenLocal,
  type LocalAddress,
  type LocalSocket,
} from "../../../src/core/mod.ts";
import { tempFolder } from "../../support/temp_folder.ts";

const unixTest = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name, fn, ignore: process.platform === "win32" });

/** Everything that was sent comes back once the sender has ended. */
function echo(socket: LocalSocket): void {
  socket.on("error", () => undefined);
  socket.pipe(socket);
}

async function exchange(address: LocalAddress, bytes: Buffer): Promise<Buffer> {
  const socket = await connectLocal(address);
  socket.end(bytes);
  return await buffer(socket);
}

unixTest("connectLocal() and listenLocal() carry bytes both ways, past a half-close", async () => {
  await using folder = await tempFolder();
  const unix = { path: join(folder.path, "a.sock") };
  const server = await listenLocal(unix, echo);
  const tcp = await listenLocal({ host: "127.0.0.1", port: 0 }, echo);
  const bytes = randomBytes(3_000_001);
  for (const address of [unix, { host: "127.0.0.1", port: tcp.port }]) {
    assert.equal(Buffer.compare(await exchange(address, bytes), bytes), 0);
    assert.equal((await exchange(address, Buffer.alloc(0))).byteLength, 0);
  }
  await server.close();
  await server.close();
  await tcp.close();
  await assert.rejects(connectLocal(unix), { code: "ENOENT" });
});

unixTest("A local socket waits for a reader that is slow", async () => {
  await using folder = await tempFolder();
  const { promise: accepted, resolve } = Promise.withResolvers<LocalSocket>();
  const path = join(folder.path, "a.sock");
  const server = await listenLocal({ path }, (socket) => resolve(socket));
  const writer = await connectLocal({ path });
  let written = 0;
  const piece = Buffer.alloc(16_384);
  for (; writer.writableLength < 1_048_576; written += piece.byteLength) {
    writer.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const reader = await accepted;
  const drained = new Promise((resolve) => writer.once("drain", resolve));
  const read = buffer(reader);
  await drained;
  writer.end("last");
  writer.resume();
  const bytes = await read;
  assert.equal(bytes.byteLength, written + 4);
  assert.equal(bytes.subarray(-4).toString(), "last");
  reader.destroySoon();
  await new Promise((resolve) => reader.once("close", resolve));
  await server.close();
});

unixTest("A local socket tells that the other side is gone", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "a.sock");
  const server = await listenLocal({ path }, (socket) => socket.destroy());
  const socket = await connectLocal({ path });
  const closed = Promise.withResolvers<void>();
  socket.on("error", () => undefined).on("close", () => closed.resolve());
  socket.resume();
  await new Promise((resolve) => socket.once("end", resolve));
  assert.equal(socket.destroyed, false, "it may still write");
  socket.write("anybody?");
  await closed.promise;
  await server.close();
});

unixTest("connectLocal() gives up when it is told to, and isLive() tells who listens", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "a.sock");
  await assert.rejects(isLive(path), { code: "ENOENT" });
  await assert.rejects(connectLocal({ path }), { code: "ENOENT" });
  const server = await listenLocal({ path }, (socket) => socket.destroy());
  assert.equal(await isLive(path), true);
  await assert.rejects(listenLocal({ path }, echo), { code: "EADDRINUSE" });
  await server.close();
  await assert.rejects(isLive(path), { code: "ENOENT" }, "its file is gone");
  const signal = AbortSignal.abort(new DaemonError("cancelled", "Not any more"));
  await assert.rejects(connectLocal({ path }, { signal }), { code: "cancelled" });
});
