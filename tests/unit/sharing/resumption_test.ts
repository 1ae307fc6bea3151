/** Downloads that a stop of the daemon cuts short. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Unpacker } from "../../../src/sharing/transaction.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { tarGzOf, writeTree } from "../../support/sharing/item_folder.ts";
import {
  LibraryNode,
  type LibraryNodeInit,
  noiseBytes,
} from "../../support/sharing/library_node.ts";
import { tempFolder } from "../../support/temp_folder.ts";
import { waitFor } from "../../support/wait.ts";

const MIB = 1_024 * 1_024;
/** What may be under way at a stop: five chunks. */
const IN_FLIGHT = 5 * 4 * MIB;

async function seedWith(content: Record<string, string | Uint8Array>): Promise<LibraryNode> {
  const seed = await LibraryNode.start();
  await writeTree(join(seed.dir, "game"), content);
  await seed.scanned();
  return seed;
}

async function listed(node: LibraryNode) {
  return (await node.sharing.items()).find(({ id }) => id === "game");
}

/** Begins a slow download and stops the library in the midst of it. */
async function cutShort(seed: LibraryNode, init: LibraryNodeInit, bytes: number): Promise<void> {
  await using node = await LibraryNode.start({ ...init, limits: { downloadTotal: 24 * MIB } });
  await node.connect(seed);
  await node.knows("game");
  const signal = AbortSignal.timeout(10_000);
  const { done } = await node.sharing.actions.download("game", { signal });
  done.catch(() => undefined);
  const before = seed.sharing.served.bytes;
  await waitFor("a part of it", () => seed.sharing.served.bytes - before > bytes);
}

testWithLibp2p("A download that a stop cuts short goes on at the next start", async () => {
  const size = 40 * MIB;
  await using seed = await seedWith({
    "version.ini": "version=2",
    "big.bin": noiseBytes(size),
    "data.tar.gz": await tarGzOf({ "run.txt": "hello" }),
  });
  await using home = await tempFolder();
  await cutShort(seed, { folder: home.path }, 16 * MIB);
  await using again = await LibraryNode.start({ folder: home.path });
  assert.equal((await listed(again))?.activity, "waiting");
  await again.connect(seed);
  await waitFor("the installed item", async () => {
    const item = await listed(again);
    return item?.installed && item.downloaded && !item.activity;
  });
  assert.equal(await Deno.readTextFile(join(again.dir, "game", "local", "run.txt")), "hello");
  const twice = seed.sharing.served.bytes - size;
  assert.equal(twice < IN_FLIGHT, true, `${twice} bytes were fetched twice`);
  await again[Symbol.asyncDispose]();
  await using third = await LibraryNode.start({ folder: home.path });
  assert.equal((await listed(third))?.activity, undefined);
});

testWithLibp2p("A download that was cancelled does not go on, waiting or running", async () => {
  await using seed = await seedWith({
    "version.ini": "version=2",
    "big.bin": noiseBytes(24 * MIB),
  });
  await using home = await tempFolder();
  await cutShort(seed, { folder: home.path }, 8 * MIB);
  {
    await using again = await LibraryNode.start({ folder: home.path });
    assert.equal((await listed(again))?.activity, "waiting");
    assert.equal(await again.sharing.actions.cancel("game"), true);
    assert.equal((await listed(again))?.activity, undefined);
    await again.connect(seed);
    assert.equal((await listed(again))?.activity, undefined);
  }
  await using third = await LibraryNode.start({ folder: home.path });
  assert.equal((await listed(third))?.activity, undefined);
});

testWithLibp2p("A download that goes on never turns to an older version", async () => {
  await using seed = await seedWith({
    "version.ini": "version=2",
    "big.bin": noiseBytes(24 * MIB),
  });
  await using old = await seedWith({ "version.ini": "version=1", "big.bin": "old" });
  await using home = await tempFolder();
  await cutShort(seed, { folder: home.path }, 8 * MIB);
  await using again = await LibraryNode.start({ folder: home.path });
  await again.connect(old);
  await again.knows("game");
  assert.equal((await listed(again))?.activity, "waiting");
  const abort = new AbortController();
  for await (const state of again.sharing.watch("game", abort.signal)) {
    assert.equal(state.status, "Waiting");
    assert.match(state.reason ?? "", /no peer .* version "2"/);
    abort.abort();
  }
  await again.connect(seed);
  await waitFor("the newer version", async () => (await listed(again))?.localVersion === "2");
});

testWithLibp2p("What a stop kept from being installed is installed at the next start", async () => {
  await using seed = await seedWith({ "version.ini": "version=2", "a.bin": "content" });
  await using home = await tempFolder();
  const begun = Promise.withResolvers<void>();
  const stuck: Unpacker = {
    unpack: (_root, _target, signal) => {
      begun.resolve();
      const { promise, reject } = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => reject(signal.reason));
      return promise;
    },
  };
  {
    await using node = await LibraryNode.start({ folder: home.path, unpacker: stuck });
    await node.connect(seed);
    await node.knows("game");
    const signal = AbortSignal.timeout(10_000);
    const { done } = await node.sharing.actions.download("game", { signal });
    done.catch(() => undefined);
    await begun.promise;
  }
  await using again = await LibraryNode.start({ folder: home.path }); // knows no peer
  await waitFor("the installed item", async () => {
    const item = await listed(again);
    return item?.installed && !item.activity;
  });
});
