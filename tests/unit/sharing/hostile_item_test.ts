/** Items that are not what they seem: manifests that lie, links in the way, files changed behind our back. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, open, readFile, rename, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ChunkWriter } from "../../../src/sharing/chunk_writer.ts";
import { type Files, systemFiles } from "../../../src/sharing/files.ts";
import { bitmapsOf } from "../../../src/sharing/holdings.ts";
import { fileHash } from "../../../src/sharing/hashing.ts";
import type { FileEntry, Manifest } from "../../../src/sharing/manifest.ts";
import { KeptAnswers, manifestAnswer } from "../../../src/sharing/answers.ts";
import { CHUNK_BYTES } from "../../../src/sharing/names.ts";
import { MAX_LISTED_CHARACTERS, PeerItems } from "../../../src/sharing/peer_items.ts";
import { IndexStore } from "../../../src/sharing/store.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { readTree, writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode, noiseBytes } from "../../support/sharing/library_node.ts";
import { LyingPeer } from "../../support/sharing/lying_peer.ts";
import { tempFolder } from "../../support/temp_folder.ts";
import { waitFor } from "../../support/wait.ts";

const BYTES = noiseBytes(3 * CHUNK_BYTES + 5);

async function seed(files: Record<string, string | Uint8Array> = {}): Promise<LibraryNode> {
  const node = await LibraryNode.start();
  await writeTree(join(node.dir, "game"), { "version.ini": "1", "deep/data.bin": BYTES, ...files });
  await node.scanned();
  return node;
}

async function assertSame(node: LibraryNode, path: string, bytes: Uint8Array): Promise<void> {
  const hash = (content: Uint8Array) => createHash("sha256").update(content).digest("hex");
  assert.equal(hash(await readFile(join(node.dir, "game", path))), hash(bytes), path);
}

async function sentinels(node: LibraryNode): Promise<string[]> {
  const names = Object.keys(await readTree(join(node.dir, "game")).catch(() => ({})));
  return names.filter((name) => name.includes("version.ini"));
}

function fileOf(path: string, size: number): FileEntry {
  const count = Math.ceil(size / CHUNK_BYTES);
  const chunks = Array.from({ length: count }, () => "0".repeat(64));
  const bytes = new Uint8Array(count * 32);
  return { path, size, chunks, sha256: fileHash(bytes) };
}

const EDITS: Record<string, (manifest: Manifest) => unknown> = {
  "a sentinel of five megabytes": (manifest) => ({
    ...manifest,
    files: [fileOf("version.ini", 5e6), ...manifest.files.filter(({ path }) => path.includes("/"))],
  }),
  "no sentinel": (manifest) => ({
    ...manifest,
    files: manifest.files.filter(({ path }) => path !== "version.ini"),
  }),
  "a version that its sentinel does not have": (manifest) => ({ ...manifest, version: "999" }),
  "the intent log in letters that fold to it": (manifest) => ({
    ...manifest,
    files: [...manifest.files, fileOf(".lan\u017fpread.json", 0)],
  }),
  "two names that are one where case is folded": (manifest) => ({
    ...manifest,
    files: [...manifest.files, fileOf("stra\u00dfe", 0), fileOf("STRASSE", 0)],
  }),
  "more bytes than numbers hold": (manifest) => ({
    ...manifest,
    files: [...manifest.files, { ...fileOf("x", 0), size: 2 ** 53 }],
  }),
};
for (const [what, edit] of Object.entries(EDITS)) {
  testWithLibp2p(`A download of an item with ${what} is refused`, async () => {
    await using honest = await seed();
    await using liar = await LyingPeer.start(honest, "game", { edit });
    await using us = await LibraryNode.start();
    if (what.startsWith("a version")) liar.version = "999";
    // It sends the true bytes, so that nothing but the manifest is wrong.
    await liar.connect(us);
    await us.knows("game");
    await assert.rejects(us.get("game"), { name: "DaemonError" });
    assert.deepEqual(await sentinels(us), []);
  });
}

testWithLibp2p("Nothing is fetched through a link, whatever it replaces", async () => {
  await using honest = await seed();
  for (const link of ["", "deep", "deep/data.bin"]) {
    await using us = await LibraryNode.start();
    await us.connect(honest);
    await us.knows("game");
    const [outside, root] = [join(us.folder, "outside"), join(us.dir, "game")];
    await mkdir(join(outside, "deep"), { recursive: true });
    await writeFile(join(outside, "data.bin"), "the user's");
    if (link) await mkdir(join(root, link, ".."), { recursive: true });
    const target = link.endsWith(".bin") ? join(outside, "data.bin") : outside;
    await symlink(target, join(root, link));
    await assert.rejects(us.get("game"), { code: "failed_precondition" }, link);
    assert.deepEqual(await readTree(outside), { "deep/": "", "data.bin": "the user's" }, link);
    await us.scanned();
    assert.equal((await us.sharing.items())[0]?.downloaded ?? false, false);
  }
});

testWithLibp2p("A file of the version before is not removed through a link", async () => {
  await using honest = await seed({ "old/stale.txt": "of 1" });
  await using us = await LibraryNode.start();
  await us.connect(honest);
  await us.knows("game");
  await us.get("game");
  await rename(join(us.dir, "game", "old"), join(us.folder, "moved"));
  await symlink(join(us.folder, "moved"), join(us.dir, "game", "old"));
  const root = join(honest.dir, "game");
  await Deno.remove(join(root, "old"), { recursive: true });
  await writeTree(root, { "version.ini": "2" });
  await honest.scanned();
  await us.sharing.peers.refresh();
  await us.get("game");
  assert.equal(await readFile(join(us.folder, "moved", "stale.txt"), "utf8"), "of 1");
});

async function flip(path: string, at: number): Promise<void> {
  const file = await open(path, "r+");
  const byte = new Uint8Array(1);
  await file.read(byte, 0, 1, at);
  await file.write(byte.map((value) => value ^ 255), 0, 1, at);
  await file.close();
}

testWithLibp2p(
  "A file that was changed before the update is not taken for what it was",
  async () => {
    await using honest = await seed();
    await using us = await LibraryNode.start();
    await us.connect(honest);
    await us.knows("game");
    await us.get("game");
    await flip(join(us.dir, "game", "deep", "data.bin"), 100);
    await writeTree(join(honest.dir, "game"), { "version.ini": "2" });
    await honest.scanned();
    await us.sharing.peers.refresh();
    await us.get("game");
    await assertSame(us, "deep/data.bin", BYTES);
  },
);

Deno.test("ChunkWriter.resume() trusts what is as it left it, and reads what is not", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "data.bin");
  const hashOf = (at: number) =>
    createHash("sha256").update(BYTES.subarray(at, at + CHUNK_BYTES)).digest("hex");
  const chunks = [0, 1, 2, 3].map((index) => hashOf(index * CHUNK_BYTES));
  const file = { path: "data.bin", size: BYTES.byteLength, sha256: "", chunks };
  const init = { root: folder.path, manifest: { id: "game", version: "1", files: [file] } };
  const store = IndexStore.open(join(folder.path, "index.db"), folder.path);
  const { signal } = new AbortController();
  let reads = 0;
  const files: Files = {
    ...systemFiles,
    open: (path, mode, options) => {
      if (mode === "read") reads++;
      return systemFiles.open(path, mode, options);
    },
  };
  const first = new ChunkWriter({ files, store }, init);
  await first.prepare(signal);
  for (const chunk of [0, 1]) {
    const bytes = BYTES.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES);
    await first.write({ index: chunk, file: 0, chunk, length: CHUNK_BYTES }, bytes);
  }
  await first.checkpoint();
  await first.close();
  await first.noteTimes();
  const resumed = async () => {
    const writer = new ChunkWriter({ files, store }, init);
    await writer.resume(signal);
    await writer.close();
    return [0, 1, 2, 3].map((chunk) => writer.has(0, chunk));
  };
  assert.deepEqual(await resumed(), [true, true, false, false]);
  assert.equal(reads, 0, "what is sure is not read again");
  await flip(path, 3);
  assert.deepEqual(await resumed(), [false, true, false, false]);
  await truncate(path, 5);
  assert.deepEqual(await resumed(), [false, false, false, false]);
  store.close();
});

testWithLibp2p("A peer that turns to another version in mid-download spoils nothing", async () => {
  await using stays = await seed();
  await using turns = await seed();
  await using us = await LibraryNode.start({ limits: { downloadTotal: 8e6 }, roundWaitMs: 2_000 });
  for (const peer of [stays, turns]) await us.connect(peer);
  await us.knows("game", 2);
  const { done } = await us.sharing.actions.download("game", {
    ...{ install: false, signal: AbortSignal.timeout(60_000) },
  });
  await waitFor("the begin", () => us.topics().includes("library.game-download-begin"));
  const other = noiseBytes(BYTES.byteLength, 77);
  await writeTree(join(turns.dir, "game"), { "version.ini": "2", "deep/data.bin": other });
  await turns.scanned();
  await done;
  await assertSame(us, "deep/data.bin", BYTES);
  assert.equal(await readFile(join(us.dir, "game", "version.ini"), "utf8"), "1");
});

testWithLibp2p("An item whose only peer turns to another version fails whole", async () => {
  await using turns = await seed();
  await using us = await LibraryNode.start({
    ...{ limits: { downloadTotal: 20e6 }, roundWaitMs: 1_000, stallMs: 1_000 },
  });
  await us.connect(turns);
  await us.knows("game");
  const failed = (await us.sharing.actions.download("game", {
    ...{ install: false, signal: AbortSignal.timeout(60_000) },
  })).done.then(() => undefined, (failure: { code: string }) => failure.code);
  await waitFor("the begin", () => us.topics().includes("library.game-download-begin"));
  const other = noiseBytes(BYTES.byteLength, 78);
  await writeTree(join(turns.dir, "game"), { "version.ini": "2", "deep/data.bin": other });
  await turns.scanned();
  assert.equal(await failed, "unavailable");
  assert.deepEqual(await sentinels(us), []);
  await us.sharing.peers.refresh();
  await us.get("game");
  await assertSame(us, "deep/data.bin", other);
});

Deno.test("bitmapsOf() keeps no more of a bitmap than its file has chunks", () => {
  const manifest = { id: "a", version: "1", files: [fileOf("x", CHUNK_BYTES)] };
  const files = [{ path: "x", bitmap: new Uint8Array(8_000_000) }];
  const [bitmap] = bitmapsOf({ version: "1", files }, manifest, new Map([["x", 0]])).values();
  assert.deepEqual([bitmap?.byteLength, bitmap?.buffer.byteLength], [1, 1]);
});

Deno.test("KeptAnswers makes an answer once for all who ask, and lets go of it in the end", async () => {
  const clock = new FakeClock();
  const kept = new KeptAnswers({ clock });
  const files = Array.from({ length: 2_000 }, (_, n) => fileOf(`f${n}`, 0));
  const manifest = { id: "a", version: "1", files };
  const { promise: goOn, resolve } = Promise.withResolvers<void>();
  const seen: unknown[] = [];
  const ask = () =>
    kept.lend(manifest, manifestAnswer, async (answer) => {
      seen.push(answer);
      await goOn;
    });
  const asked = [ask(), ask(), ask()];
  await waitFor("all of them", () => seen.length === 3);
  resolve();
  await Promise.all(asked);
  await clock.advance(4_000);
  await ask();
  assert.equal(new Set(seen).size, 1);
  await clock.advance(5_001);
  await ask();
  assert.equal(new Set(seen).size, 2, "nothing is kept for nobody");
  kept.clear();
});

Deno.test("PeerItems forgets what is beyond the bound of all lists together", async () => {
  const name = "n".repeat(1_024);
  const games = Array.from({ length: 10_000 }, (_, index) => ({
    ...{ id: `g${index}`, name, version: "1", size: 1, downloaded: true, installed: false },
  }));
  const told = () => undefined;
  const items = new PeerItems({
    clock: new FakeClock(),
    client: { ping: () => Promise.resolve(), listGames: () => Promise.resolve(games) },
    ...{ onJoined: told, onLeft: told, onListed: told },
  });
  for (let peer = 0; peer < 8; peer++) items.joined(`peer ${peer}`);
  await items.refresh();
  await waitFor("all lists", () => items.all().size === games.length);
  let kept = 0;
  for (let peer = 0; peer < 8; peer++) {
    for (const { id } of games) kept += items.versionOf(`peer ${peer}`, id) ? 1 : 0;
  }
  assert.equal(kept * name.length <= MAX_LISTED_CHARACTERS, true, `${kept} entries`);
  assert.equal(kept > 30_000, true, "and keeps what fits");
});
