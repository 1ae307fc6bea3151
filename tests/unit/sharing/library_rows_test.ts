/** What the shared library promises, row by row of its feature list (L13 to L54). */
import assert from "node:assert/strict";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CHUNK_BYTES } from "../../../src/sharing/names.ts";
import { FALLBACK_SCAN_MS, Monitor, SETTLE_MS } from "../../../src/sharing/monitor.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { readTree, tarGzOf, writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode, noiseBytes } from "../../support/sharing/library_node.ts";
import { tempFolder } from "../../support/temp_folder.ts";
import { waitFor } from "../../support/wait.ts";

const signal = () => AbortSignal.timeout(30_000);

testWithLibp2p("Sharing lists and serves only what the catalog names (L13)", async () => {
  await using alice = await LibraryNode.start();
  await using bob = await LibraryNode.start();
  await writeFile(
    join(alice.folder, "config", "catalog.json"),
    '{"items":[{"id":"in","name":"In"}]}',
  );
  for (const id of ["in", "out"]) {
    await writeTree(join(alice.dir, id), { "version.ini": "1", a: "a" });
  }
  await alice.scanned();
  await bob.connect(alice);
  await bob.knows("in");
  assert.deepEqual((await bob.sharing.items()).map(({ id, name }) => [id, name]), [["in", "In"]]);
  await assert.rejects(bob.sharing.actions.fetchLatest("out", signal()), { code: "not_found" });
  await assert.rejects(alice.sharing.actions.get("out", signal()), { code: "not_found" });
});

testWithLibp2p(
  "An item is downloaded iff version.ini is a file, installed iff local is a folder (L24, L25)",
  async () => {
    await using alice = await LibraryNode.start();
    await writeTree(join(alice.dir, "one"), {
      "version.ini": "version = 3",
      "a": "a",
      "local": "a file",
    });
    await mkdir(join(alice.dir, "two", "local"), { recursive: true });
    await alice.scanned();
    const states = async () =>
      (await alice.sharing.items()).map((
        { id, downloaded, installed },
      ) => [id, downloaded, installed]);
    assert.deepEqual(await states(), [["one", true, false], ["two", false, true]]);
    await rm(join(alice.dir, "one", "version.ini"));
    await alice.scanned();
    assert.deepEqual(await states(), [["one", false, false], ["two", false, true]]);
  },
);

testWithLibp2p("A version.ini that appears is listed within two seconds (L20)", async () => {
  await using alice = await LibraryNode.start();
  await writeTree(join(alice.dir, "one"), { a: "a" });
  await alice.scanned();
  await writeFile(join(alice.dir, "one", "version.ini"), "1");
  await waitFor(
    "the item",
    async () => (await alice.sharing.items()).some(({ downloaded }) => downloaded),
    4_000,
  );
});

Deno.test("Monitor looks at what settled, not at what lies deep, and at everything every 300 s (L20, L22)", async () => {
  await using folder = await tempFolder();
  await mkdir(join(folder.path, "one"));
  const clock = new FakeClock();
  const looked: string[] = [];
  let tell: (path: string) => void = () => undefined;
  const monitor = new Monitor({
    clock,
    watch: (_paths, to) => {
      tell = (path) => to(join(folder.path, path));
      return { close: () => undefined };
    },
    scan: (id) => Promise.resolve(void looked.push(id)),
    scanAll: () => Promise.resolve(void looked.push("*")),
  }, { dir: folder.path });
  await monitor.start();
  tell("one/local/deep/file");
  tell("one/.lanspread.json");
  await clock.advance(SETTLE_MS * 2);
  assert.deepEqual(looked, []);
  tell("one/version.ini");
  await clock.advance(SETTLE_MS - 100);
  tell("one/data.bin");
  await clock.advance(SETTLE_MS - 100);
  assert.deepEqual(looked, []);
  await clock.advance(200);
  assert.deepEqual(looked, ["one"]);
  await clock.advance(FALLBACK_SCAN_MS);
  assert.deepEqual(looked, ["one", "*"]);
  await monitor.stop();
  assert.equal(clock.pending, 0);
});

testWithLibp2p(
  "Downloading, installing and uninstalling tell their events in order (L32, L34, L42, L50)",
  async () => {
    await using alice = await LibraryNode.start();
    await using bob = await LibraryNode.start();
    const root = join(alice.dir, "game");
    await writeTree(root, {
      "version.ini": "1",
      "d.tar.gz": await tarGzOf({ x: "x" }),
      "big": noiseBytes(9e6),
    });
    await alice.scanned();
    await bob.connect(alice);
    await bob.knows("game");
    let sizeAtBegin = 0;
    bob.bus.listen(({ topic }) => {
      if (topic !== "library.game-download-begin") return;
      sizeAtBegin = Deno.statSync(join(bob.dir, "game", "big")).size;
    });
    await bob.sharing.actions.fetchLatest("game", signal());
    await bob.get("game", true);
    await (await bob.sharing.actions.uninstall("game")).done;
    const told = bob.topics().filter((topic) => /got|download|install/.test(topic));
    assert.deepEqual(told.map((topic) => topic.replace("library.", "")), [
      ...["got-game-files", "game-download-begin", "game-download-finished"],
      ...["game-install-begin", "game-install-finished"],
      ...["game-uninstall-begin", "game-uninstall-finished"],
    ]);
    assert.equal(sizeAtBegin, 9e6);
    assert.equal(bob.topics().includes("library.peer-discovered"), true);
    assert.equal(bob.topics().includes("library.peer-connected"), true);
    await assert.rejects(bob.sharing.actions.uninstall("game"), { code: "failed_precondition" });
  },
);

testWithLibp2p(
  "An update fetches only what changed, and keeps the user's files (L30, resume)",
  async () => {
    await using alice = await LibraryNode.start();
    await using bob = await LibraryNode.start();
    const big = noiseBytes(5 * CHUNK_BYTES);
    await writeTree(join(alice.dir, "game"), { "version.ini": "1", big, "stale.txt": "of 1" });
    await alice.scanned();
    await bob.connect(alice);
    await bob.knows("game");
    await bob.get("game");
    await writeFile(join(bob.dir, "game", "mine.txt"), "mine");
    big[3 * CHUNK_BYTES + 5] = (big[3 * CHUNK_BYTES + 5] ?? 0) ^ 255;
    await rm(join(alice.dir, "game", "stale.txt"));
    await writeTree(join(alice.dir, "game"), { "version.ini": "2", big });
    await alice.scanned();
    await waitFor("version 2", async () => {
      await bob.sharing.peers.refresh();
      return bob.sharing.peers.latest("game")?.version === "2";
    });
    const before = alice.sharing.served.bytes;
    assert.equal((await bob.sharing.items())[0]?.canUpdate, true);
    assert.equal((await bob.sharing.actions.get("game", signal())).version, "1");
    assert.equal((await bob.sharing.actions.fetchLatest("game", signal())).version, "2");
    await bob.get("game");
    assert.equal(alice.sharing.served.bytes - before <= CHUNK_BYTES + 1, true);
    const tree = await readTree(join(bob.dir, "game"));
    assert.equal(tree["mine.txt"], "mine");
    assert.equal(tree["stale.txt"], undefined);
    assert.equal(tree["version.ini"], "2");
    const verified = await (await bob.sharing.actions.verify("game")).done;
    assert.deepEqual(verified.damaged, []);
  },
);

testWithLibp2p(
  "A cancelled download leaves no sentinel, and its chunks are not fetched again (L41)",
  async () => {
    await using alice = await LibraryNode.start({ limits: { uploadTotal: 12e6 } });
    await using bob = await LibraryNode.start();
    await writeTree(join(alice.dir, "game"), {
      "version.ini": "1",
      big: noiseBytes(8 * CHUNK_BYTES),
    });
    await alice.scanned();
    await bob.connect(alice);
    await bob.knows("game");
    const { done } = await bob.sharing.actions.download("game", {
      install: false,
      signal: signal(),
    });
    await assert.rejects(bob.sharing.actions.download("game", { signal: signal() }), /Busy/);
    await assert.rejects(bob.sharing.setDir(bob.folder), /while "game" is downloading/);
    await waitFor(
      "half of it",
      () => bob.events.some(({ payload }) => Number(payload["done_bytes"]) >= 3 * CHUNK_BYTES),
    );
    await Promise.all([
      bob.sharing.actions.cancel("game"),
      assert.rejects(done, { code: "cancelled" }),
    ]);
    const names = Object.keys(await readTree(join(bob.dir, "game")));
    assert.equal(names.some((name) => name.includes("version.ini")), false);
    assert.equal(bob.topics().includes("library.game-download-failed"), true);
    const doneBytes = bob.events.map(({ payload }) => Number(payload["done_bytes"] ?? 0));
    // Whole chunks; the sentinel of one byte stays in memory and comes again.
    const kept = Math.floor(Math.max(...doneBytes) / CHUNK_BYTES) * CHUNK_BYTES;
    const before = alice.sharing.served.bytes;
    await bob.get("game");
    const fetched = alice.sharing.served.bytes - before;
    assert.equal(fetched <= 8 * CHUNK_BYTES - kept + 1, true, `${fetched} bytes fetched again`);
  },
);

testWithLibp2p(
  "A peer outside the LAN, or not trusted by a private library, is refused (L52)",
  async () => {
    await using alice = await LibraryNode.start({ mayShareWith: () => false });
    await using bob = await LibraryNode.start();
    await writeTree(join(alice.dir, "game"), { "version.ini": "1" });
    await alice.scanned();
    await bob.node.dial(alice.node.getMultiaddrs());
    await waitFor("the refusal", () => alice.sharing.served.refused > 0);
    assert.equal(bob.sharing.peers.latest("game"), undefined);
  },
);

testWithLibp2p(
  "The list has newest versions of peers and items that only exist here (L16, L53)",
  async () => {
    await using us = await LibraryNode.start();
    await writeTree(join(us.dir, "ours"), { "version.ini": "1" });
    await us.scanned();
    const versions = ["1", "2", "2"];
    const peers: LibraryNode[] = [];
    await using stack = new AsyncDisposableStack();
    for (const version of versions) {
      const peer = stack.use(await LibraryNode.start());
      await writeTree(join(peer.dir, "game"), { "version.ini": version });
      await peer.scanned();
      await us.connect(peer);
      peers.push(peer);
    }
    await us.knows("game", 2);
    const items = await us.sharing.items();
    assert.deepEqual(items.map(({ id, version, peers }) => [id, version, peers]), [
      ["game", "2", 2],
      ["ours", "1", 0],
    ]);
    const gone = peers[2];
    await gone?.node.stop();
    await waitFor("the peer gone", () => us.topics().includes("library.peer-disconnected"));
    assert.equal(us.sharing.peers.latest("game")?.peers.length, 1);
  },
);

testWithLibp2p(
  "A folder that is added is shared; set_dir validates before it moves (L47)",
  async () => {
    await using us = await LibraryNode.start();
    const outside = join(us.folder, "outside");
    await writeTree(outside, { "a.txt": "a", "sub/b.txt": "b" });
    assert.equal(
      await us.sharing.actions.add({ folder: outside, id: "mine", version: "9" }, signal()),
      "mine",
    );
    await us.sharing.settled();
    const { files, version } = await us.sharing.actions.get("mine", signal());
    assert.deepEqual([version, files.map(({ path }) => path).sort()], ["9", [
      "a.txt",
      "sub/b.txt",
      "version.ini",
    ]]);
    await assert.rejects(us.sharing.actions.add({ folder: outside, id: "mine" }, signal()), {
      code: "already_exists",
    });
    await assert.rejects(us.sharing.setDir("/sys/kernel"), { code: "permission_denied" });
    await assert.rejects(us.sharing.setDir("/proc/self"), /nothing can be written into it/);
    assert.equal((await us.sharing.items())[0]?.id, "mine");
    const other = join(us.folder, "other");
    await mkdir(other);
    await us.sharing.setDir(other);
    assert.deepEqual(await readdir(other), [], "nothing is left of the check");
    assert.deepEqual(await us.sharing.items(), []);
    await us.sharing.setDir(join(us.folder, "library"));
    await us.scanned();
    assert.equal((await us.sharing.items())[0]?.id, "mine");
  },
);
