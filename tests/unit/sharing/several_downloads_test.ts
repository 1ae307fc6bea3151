/** Downloads that run beside one another. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import type { ByteStream } from "../../../src/network/mod.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode, noiseBytes } from "../../support/sharing/library_node.ts";

const MIB = 1_024 * 1_024;

/** A stream that hears nothing once it asked for content of an item. */
function deafTo(id: string, stream: ByteStream): ByteStream {
  let isDeaf = false;
  const never = (signal?: AbortSignal) => {
    const { promise, reject } = Promise.withResolvers<never>();
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    return promise;
  };
  return new Proxy(stream, {
    get(target, name) {
      if (name === "write") {
        return (bytes: Uint8Array, signal?: AbortSignal) => {
          const text = Buffer.from(bytes).toString("latin1");
          isDeaf ||= text.includes("GetGameFile") && text.includes(`"${id}"`);
          return target.write(bytes, signal);
        };
      }
      if (name === "read" && isDeaf) return never;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

testWithLibp2p("A download of which nothing comes ends, whatever comes of others", async () => {
  await using seed = await LibraryNode.start({ limits: { uploadTotal: 4 * MIB } });
  await writeTree(join(seed.dir, "stuck"), { "version.ini": "1", "a.bin": "content" });
  await writeTree(join(seed.dir, "game"), { "version.ini": "1", "a.bin": noiseBytes(12 * MIB) });
  await seed.scanned();
  await using us = await LibraryNode.start({
    ...{ roundWaitMs: 300, stallMs: 60_000 },
    wrapStream: (stream) => deafTo("stuck", stream),
  });
  await us.connect(seed);
  await us.knows("stuck");
  await us.knows("game");
  const signal = AbortSignal.timeout(20_000);
  const options = { install: false, signal };
  const game = await us.sharing.actions.download("game", options);
  const stuck = await us.sharing.actions.download("stuck", options);
  const end = Promise.withResolvers<void>();
  let isGameHere = false;
  game.done.then(() => isGameHere = true).then(() => end.resolve(), end.reject);
  await assert.rejects(stuck.done, { code: "unavailable" });
  assert.equal(isGameHere, false, "it did not wait for the other one");
  await end.promise;
});
