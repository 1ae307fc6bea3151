/** Telling which chunks there are, of items with very many files, to very many who ask. */
import assert from "node:assert/strict";
import { ChunkMemories } from "../../../src/sharing/chunk_memory.ts";
import { DownloadPlan } from "../../../src/sharing/download_plan.ts";
import { HolderSearch } from "../../../src/sharing/holder_search.ts";
import { ItemDownload, type ItemDownloadComponents } from "../../../src/sharing/item_download.ts";
import type { Manifest } from "../../../src/sharing/manifest.ts";
import { PeerRefusal } from "../../../src/sharing/messages.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { waitFor } from "../../support/wait.ts";

function manifestOf(files: number): Manifest {
  const hash = "0".repeat(64);
  return {
    ...{ id: "game", version: "1" },
    files: Array.from({ length: files }, (_, n) => ({
      ...{ path: `file${n}`, size: 5, sha256: hash, chunks: [hash] },
    })),
  };
}

Deno.test("HolderSearch asks the less often the more files an item has", async () => {
  for (const [files, most] of [[10, 21], [20_000, 7], [200_000, 3]] as const) {
    const clock = new FakeClock();
    const manifest = manifestOf(files);
    const plan = new DownloadPlan(manifest, () => false);
    let asked = 0;
    const search = new HolderSearch({
      clock,
      plan,
      client: {
        getHave: () => {
          asked++;
          return Promise.resolve({ version: "1", files: [] });
        },
      },
      peers: () => [{ peerId: "a", hasVersion: false }],
    }, { manifest, sources: new Map() });
    for (let ms = 0; ms <= 6_000; ms += 300) {
      await search.look(AbortSignal.timeout(5_000));
      await clock.advance(300);
    }
    assert.equal(asked <= most && asked > most / 2, true, `${asked} times for ${files} files`);
  }
});

Deno.test("HolderSearch keeps a peer that has too much to do, and asks it later", async () => {
  const clock = new FakeClock();
  const manifest = manifestOf(1);
  const plan = new DownloadPlan(manifest, () => false);
  let [asked, isBusy] = [0, false];
  const search = new HolderSearch({
    clock,
    plan,
    client: {
      getHave: () => {
        asked++;
        if (isBusy) return Promise.reject(new PeerRefusal("Busy"));
        const files = [{ path: "file0", bitmap: Uint8Array.of(1) }];
        return Promise.resolve({ version: "1", files });
      },
    },
    peers: () => [{ peerId: "a", hasVersion: false }],
  }, { manifest, sources: new Map() });
  await search.look(AbortSignal.timeout(5_000));
  assert.deepEqual(plan.peers, ["a"]);
  isBusy = true;
  for (let ms = 0; ms < 3_000; ms += 300) {
    await clock.advance(300);
    await search.look(AbortSignal.timeout(5_000));
  }
  assert.deepEqual(plan.peers, ["a"]);
  assert.equal(asked >= 2 && asked <= 5, true, `${asked} times`);
});

function downloadOf(files: number, clock: FakeClock): ItemDownload {
  const memories = new ChunkMemories();
  const components = { clock, memories, local: { rootOf: () => "/nowhere" } };
  return new ItemDownload(components as unknown as ItemDownloadComponents, {
    ...{ manifest: manifestOf(files), sources: new Map(), selfId: "us" },
  });
}

Deno.test("ItemDownload.have() of very many files is made once a while for all who ask", async () => {
  for (const [files, ms] of [[20, 1], [5_000, 250], [100_000, 2_000]] as const) {
    const clock = new FakeClock();
    const download = downloadOf(files, clock);
    const first = await download.have();
    assert.deepEqual(first, { version: "1", files: [] });
    assert.equal(await download.have() === first, true);
    await clock.advance(ms + 1);
    assert.equal(await download.have() === first, false);
  }
});

Deno.test("ItemDownload.have() of very many files lets the event loop go on", async () => {
  const download = downloadOf(200_000, new FakeClock());
  let turns = 0;
  let isThere = false;
  const count = () => {
    turns++;
    if (!isThere) setTimeout(count, 0);
  };
  setTimeout(count, 0);
  await download.have();
  isThere = true;
  await waitFor("the last turn", () => turns > 0);
  assert.equal(turns > 1, true, `${turns} turns`);
});
