/** What the shared library promises of its wire, its parts and its scans (L2, L10 to L12, L19, L21, L23, L26, L48, L51). */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { multiaddr } from "@multiformats/multiaddr";
import { Catalog } from "../../../src/sharing/catalog.ts";
import { LIBRARY_PROTOCOL, RequestJson } from "../../../src/sharing/messages.ts";
import { SETTLE_MS } from "../../../src/sharing/monitor.ts";
import { MAX_SILENCE_MS, PeerItems, PING_INTERVAL_MS } from "../../../src/sharing/peer_items.ts";
import type { Unpacker } from "../../../src/sharing/transaction.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { createNode, testWithLibp2p } from "../../support/libp2p_pair.ts";
import { readTree, writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode, noiseBytes } from "../../support/sharing/library_node.ts";
import { tempFolder } from "../../support/temp_folder.ts";
import { waitFor } from "../../support/wait.ts";

const IS_FULL = process.env["ALMENAD_FULL"] === "1";
const signal = () => AbortSignal.timeout(30_000);

testWithLibp2p("There is one wire version: every other one is refused (L2)", async () => {
  await using alice = await LibraryNode.start();
  const bob = await createNode();
  try {
    const connection = await bob.dial(alice.node.getMultiaddrs());
    const spoken = alice.node.getProtocols().filter((id) => id.startsWith("/almena/library"));
    assert.deepEqual(spoken, [LIBRARY_PROTOCOL]);
    for (const version of ["0.9", "1.1", "2.0", "1.0.0", ""]) {
      const id = `/almena/library/${version}`;
      await assert.rejects(connection.newStream(id), { name: "UnsupportedProtocolError" }, id);
    }
    await (await connection.newStream(LIBRARY_PROTOCOL)).close();
  } finally {
    await bob.stop();
  }
  // Nor is there anything to negotiate inside: what is not exactly a request is none.
  for (const more of [{ Hello: { version: 1 } }, { Ping: { version: 1 } }, { Ping: {}, v: 2 }]) {
    assert.equal(RequestJson().safeParse(more).success, false, JSON.stringify(more));
  }
});

testWithLibp2p(
  "A library is five inputs and is driven by commands and events alone (L10, L11, L12)",
  async () => {
    const unpacked: string[] = [];
    const unpacker: Unpacker = {
      unpack: async (from, to) => {
        unpacked.push(from);
        await writeFile(join(to, "made-by-the-fake"), "x");
      },
    };
    // Its folder, where events go, its index, the unpacker and the catalog; the rest is the machine.
    await using us = await LibraryNode.start({ unpacker });
    const catalog = { items: [{ id: "game", name: "A game" }] };
    await writeFile(join(us.folder, "config", "catalog.json"), JSON.stringify(catalog));
    await writeTree(join(us.dir, "game"), {
      "version.ini": "1",
      "game.tar.gz": "no archive at all",
    });
    await us.scanned();
    await (await us.sharing.actions.install("game")).done;
    assert.deepEqual(unpacked, [join(us.dir, "game")]);
    const tree = await readTree(join(us.dir, "game", "local"));
    assert.deepEqual(tree, { "made-by-the-fake": "x" });
    assert.equal((await us.sharing.items())[0]?.name, "A game");
    assert.deepEqual(
      await readdir(join(us.folder, "data")).then((names) => names.length > 0),
      true,
    );
    assert.equal(us.topics().includes("library.game-install-finished"), true);
    await assert.rejects(us.sharing.actions.get("another", signal()), { code: "not_found" });
  },
);

Deno.test("No file of the library's peer code knows an archive format (L12)", () => {
  const folder = fileURLToPath(new URL("../../../src/sharing/", import.meta.url));
  const sources = readdirSync(folder).filter((name) => name.endsWith(".ts"));
  assert.equal(sources.length > 20, true);
  for (const name of sources) {
    const text = readFileSync(join(folder, name), "utf8");
    assert.doesNotMatch(text, /tar-stream|yauzl|zlib|fflate/, name);
  }
});

Deno.test("A peer that falls silent is gone within 30 s, and that is told (L19)", async () => {
  const clock = new FakeClock();
  const told: string[] = [];
  let answers = true;
  const items = new PeerItems({
    clock,
    client: {
      ping: (_peer, signal) =>
        answers ? Promise.resolve() : new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        }),
      listGames: () => Promise.resolve([]),
    },
    onJoined: (peer) => void told.push(`joined ${peer}`),
    onLeft: (peer) => void told.push(`left ${peer}`),
    onListed: () => undefined,
  });
  items.start();
  items.joined("a");
  for (let n = 0; n < 6; n++) await clock.advance(PING_INTERVAL_MS);
  assert.equal(items.count, 1, "who answers stays");
  answers = false; // as after kill -9 behind a cut wire: no answer, no reset
  for (let ms = 0; ms < MAX_SILENCE_MS - 2_000; ms += 1_000) await clock.advance(1_000);
  const before = items.count;
  for (let ms = 0; ms < 3_000; ms += 1_000) await clock.advance(1_000);
  assert.deepEqual([before, items.count], [1, 0]);
  assert.deepEqual(told, ["joined a", "left a"]);
  items.stop();
});

testWithLibp2p(
  "What changes during an operation is looked at when it ends, not before (L21)",
  async () => {
    const { promise: goOn, resolve: finish } = Promise.withResolvers<void>();
    let tell: (path: string) => void = () => undefined;
    await using us = await LibraryNode.start({
      unpacker: { unpack: () => goOn },
      watch: (_paths, to) => {
        tell = to;
        return { close: () => undefined };
      },
    });
    const root = join(us.dir, "game");
    await writeTree(root, { "version.ini": "1", "a": "a" });
    await us.scanned();
    const { done } = await us.sharing.actions.install("game");
    await waitFor("the begin", () => us.topics().includes("library.game-install-begin"));
    const version = async () => (await us.sharing.items())[0]?.version;
    await writeFile(join(root, "version.ini"), "version=2");
    tell(join(root, "version.ini"));
    await us.sharing.scan(); // a full scan passes over it as well
    const settled = Promise.withResolvers<void>();
    setTimeout(settled.resolve, 2 * SETTLE_MS);
    await settled.promise;
    assert.equal(await version(), "1", "nobody looks while it is busy");
    finish();
    await done;
    await waitFor("the look after it", async () => await version() === "2");
  },
);

testWithLibp2p("An item that is fetched stays listed when its last peer goes (L49)", async () => {
  await using alice = await LibraryNode.start({ limits: { uploadTotal: 500_000 } });
  await using bob = await LibraryNode.start();
  await writeTree(join(alice.dir, "game"), { "version.ini": "1", big: noiseBytes(4_000_000) });
  await alice.scanned();
  await bob.connect(alice);
  await bob.knows("game");
  const { done } = await bob.sharing.actions.download("game", { install: false, signal: signal() });
  const ended = done.catch(() => undefined);
  await waitFor("the begin", () => bob.topics().includes("library.game-download-begin"));
  await alice.node.stop();
  await waitFor("the peer gone", () => bob.topics().includes("library.peer-disconnected"));
  const [item] = await bob.sharing.items();
  assert.deepEqual([item?.id, item?.peers, item?.activity], ["game", 0, "downloading"]);
  await bob.sharing.actions.cancel("game");
  await ended;
});

testWithLibp2p("Unchanged items are hashed never again, not even after a start (L23)", async () => {
  const count = IS_FULL ? 10_000 : 300;
  const watch = () => ({ close: () => undefined });
  await using folder = await tempFolder();
  {
    await using us = await LibraryNode.start({ folder: folder.path, watch });
    for (let n = 0; n < count; n++) {
      await mkdir(join(us.dir, `item${n}`));
      await writeFile(join(us.dir, `item${n}`, "version.ini"), "version=1\n");
      await writeFile(join(us.dir, `item${n}`, "a.bin"), `${n}`);
    }
    await us.scanned();
    assert.equal(us.sharing.hashed, 2 * count);
    const scans: number[] = [];
    for (let round = 0; round < 3; round++) scans.push((await us.sharing.scan()).ms);
    assert.equal(us.sharing.hashed, 2 * count);
    process.stdout.write(`${count} items looked at in ${Math.min(...scans).toFixed(0)} ms\n`);
    if (IS_FULL) assert.equal(Math.min(...scans) < 1_000, true, `${scans} ms`);
  }
  await using again = await LibraryNode.start({ folder: folder.path, watch });
  await again.scanned();
  assert.equal(again.sharing.hashed, 0);
  assert.equal((await again.sharing.items()).filter(({ downloaded }) => downloaded).length, count);
});

testWithLibp2p("Peers prove who they are; no secret is shared by all (L26)", async () => {
  await using alice = await LibraryNode.start();
  await using bob = await LibraryNode.start();
  await using carol = await LibraryNode.start();
  assert.equal(new Set([alice, bob, carol].map(({ peerId }) => peerId)).size, 3);
  // Bob's address under Carol's name: whoever answers there cannot prove to be Carol.
  const [address] = bob.node.getMultiaddrs().map((one) => one.toString().replace(/\/p2p\/.*/, ""));
  const forged = multiaddr(`${address}/p2p/${carol.peerId}`);
  await assert.rejects(alice.node.dial(forged), /identity|UnexpectedPeer/i);
  const sources = new URL("../../../src/", import.meta.url);
  const key = /-----BEGIN [A-Z ]*PRIVATE KEY-----|[A-Za-z0-9+/]{200,}={0,2}/;
  for (const name of readdirSync(sources, { recursive: true }) as string[]) {
    if (!name.endsWith(".ts")) continue;
    assert.doesNotMatch(readFileSync(new URL(name, sources), "utf8"), key, name);
  }
});

Deno.test("Catalog is read on first use, not before, and again once mended (L48)", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "catalog.json");
  await writeFile(path, "{ damaged");
  const catalog = new Catalog(folder.path); // nobody has looked yet
  await writeFile(path, '{"items":[{"id":"in","name":"In"}]}');
  assert.equal(await catalog.has("in"), true);
  await writeFile(path, "{ damaged");
  assert.equal(await catalog.has("out"), false, "what was read stays");
  catalog.forget();
  await assert.rejects(catalog.has("in"), { code: "data_loss" });
  await writeFile(path, '{"items":[]}');
  assert.equal(await catalog.has("in"), false);
});

testWithLibp2p("A damaged catalog ends no start; who needs it is told (L48)", async () => {
  await using us = await LibraryNode.start();
  await writeFile(join(us.folder, "config", "catalog.json"), "{ damaged");
  await writeTree(join(us.dir, "game"), { "version.ini": "1" });
  await us.scanned();
  await assert.rejects(us.sharing.items(), { code: "data_loss", message: /catalog\.json/ });
  await writeFile(
    join(us.folder, "config", "catalog.json"),
    '{"items":[{"id":"game","name":"G"}]}',
  );
  await us.scanned();
  assert.equal((await us.sharing.items())[0]?.name, "G");
});

/** Passes bytes on to a port and keeps all of them. */
async function wiretap(port: number) {
  const heard: Uint8Array[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const [from, to] of [[near, far], [far, near]] as const) {
      sockets.add(from);
      from.on("data", (bytes: Uint8Array) => {
        heard.push(Uint8Array.from(bytes));
        to.write(bytes);
      });
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    heard,
    port: (server.address() as AddressInfo).port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

testWithLibp2p("Nothing of an item can be read on the wire (L51)", async () => {
  await using alice = await LibraryNode.start();
  await using bob = await LibraryNode.start();
  const marker = "a-secret-that-must-not-be-seen";
  const content = new TextEncoder().encode(`${marker}\n`.repeat(10_000));
  const noise = noiseBytes(500_000);
  await writeTree(join(alice.dir, "hidden-item-id"), {
    ...{ "version.ini": "1", "secret-name.txt": content, noise },
  });
  await alice.scanned();
  const port = Number(/tcp\/(\d+)/.exec(alice.node.getMultiaddrs().join())?.[1]);
  const tap = await wiretap(port);
  try {
    await bob.node.dial(multiaddr(`/ip4/127.0.0.1/tcp/${tap.port}/p2p/${alice.peerId}`));
    await bob.knows("hidden-item-id");
    await bob.get("hidden-item-id");
    const all = new TextDecoder("latin1").decode(
      await new Blob(tap.heard as Uint8Array<ArrayBuffer>[]).arrayBuffer(),
    );
    assert.equal(all.length > content.byteLength + noise.byteLength, true, "all of it passed here");
    const part = new TextDecoder("latin1").decode(noise.subarray(1_000, 1_032));
    for (const text of [marker, "secret-name", "hidden-item-id", "ListGames", "library", part]) {
      // The protocol's id is negotiated inside as well.
      assert.equal(all.includes(text), false, text);
    }
  } finally {
    tap.close();
  }
});
