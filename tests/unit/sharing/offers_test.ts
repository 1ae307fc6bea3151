/** What many peers say of one item: asked for a few at a time, kept once. */
import assert from "node:assert/strict";
import { Offers } from "../../../src/sharing/offers.ts";
import { fileHash, fromHex } from "../../../src/sharing/hashing.ts";
import type { FileEntry, Manifest } from "../../../src/sharing/manifest.ts";
import { ManifestPool, MAX_POOLED_CHARACTERS } from "../../../src/sharing/manifest_merge.ts";
import { PeerRefusal } from "../../../src/sharing/messages.ts";
import { inSlices } from "../../../src/sharing/slices.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { waitFor } from "../../support/wait.ts";

const signal = AbortSignal.timeout(60_000);

function fileOf(path: string, digit = "0"): FileEntry {
  const chunks = [digit.repeat(64)];
  return { path, size: 5, chunks, sha256: fileHash(fromHex(chunks.join(""))) };
}

function manifestOf(paths: readonly string[], digit?: string): Manifest {
  return { id: "game", version: "1", files: paths.map((path) => fileOf(path, digit)) };
}

function scene(peers: number, getGame: (peerId: string, signal: AbortSignal) => Promise<Manifest>) {
  const ids = Array.from({ length: peers }, (_, n) => `peer${n}`);
  const latest = {
    ...{ id: "game", name: "Game", version: "1", size: 5, downloaded: true, installed: false },
    peers: ids,
  };
  const clock = new FakeClock();
  const offers = new Offers({
    clock,
    client: { getGame: (peerId, _id, signal) => getGame(peerId, signal) },
    peers: { latest: () => latest, refresh: () => Promise.resolve() },
    tell: () => undefined,
  }, { slowMs: 20, busyMs: 5 });
  return { offers, clock };
}

Deno.test("Offers.ask() keeps what peers agree on once, and has few manifests under way", async () => {
  let [now, most] = [0, 0];
  const { offers } = scene(30, async () => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 5));
    now--;
    return manifestOf(["a", "b"]);
  });
  const { manifest, sources } = await offers.ask("game", signal);
  assert.equal(most <= 3, true, `${most} manifests at a time`);
  assert.equal(sources.size, 8);
  assert.deepEqual(manifest, manifestOf(["a", "b"]));
});

Deno.test("Offers.ask() waits for none that stalls once others have answered", async () => {
  const aborted: string[] = [];
  const { offers, clock } = scene(8, (peerId, signal) => {
    if (peerId === "peer7") return Promise.resolve(manifestOf(["a"]));
    const { promise, reject } = Promise.withResolvers<Manifest>();
    signal.addEventListener("abort", () => {
      aborted.push(peerId);
      reject(signal.reason);
    });
    return promise;
  });
  const asked = offers.ask("game", signal);
  let offer: unknown;
  asked.then((value) => offer = value);
  await waitFor("the end", async () => {
    await clock.advance(1_000);
    return offer !== undefined;
  });
  assert.equal(aborted.length, 7);
  assert.equal((await asked).sources.size, 1);
  assert.equal(clock.pending, 0);
});

Deno.test("Offers.ask() asks a peer again that has too much to do", async () => {
  let asked = 0;
  const { offers } = scene(1, () => {
    if (++asked < 3) return Promise.reject(new PeerRefusal("Busy"));
    return Promise.resolve(manifestOf(["a"]));
  });
  assert.equal((await offers.ask("game", signal)).sources.size, 1);
  assert.equal(asked, 3);
});

Deno.test("ManifestPool keeps equal entries once, and refuses what is too much", async () => {
  const pool = new ManifestPool();
  const share = (manifest: Manifest) => inSlices(pool.share(manifest));
  const [first, second] = [
    await share(manifestOf(["a", "b"])),
    await share(manifestOf(["b", "a"])),
  ];
  assert.equal(first?.files[0], second?.files[1]);
  const other = await share(manifestOf(["a"], "1"));
  assert.deepEqual(other, manifestOf(["a"], "1"));
  const path = "x".repeat(1_000);
  const count = Math.ceil(MAX_POOLED_CHARACTERS / (path.length + 128));
  const long = { ...manifestOf([]), files: Array.from({ length: count }, () => fileOf(path, "2")) };
  const distinct = long.files.map((file, index) => ({ ...file, path: `${index}${path}` }));
  assert.equal(await share({ ...long, files: distinct }), undefined);
  assert.deepEqual(await share(manifestOf(["a", "b"])), manifestOf(["a", "b"]), "known ones pass");
});
