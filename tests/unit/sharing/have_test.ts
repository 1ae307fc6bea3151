/** Telling which chunks there are, of items with very many files, to very many who ask. */
import assert from "node:assert/strict";
import { DownloadPlan } from "../../../src/sharing/download_plan.ts";
import { HolderSearch } from "../../../src/sharing/holder_search.ts";
import { ItemDownload, type ItemDownloadComponents } from "../../../src/sharing/item_download.ts";
import type { Manifest } from "../../../src/sharing/manifest.ts";
import { frame } from "../../../src/sharing/messages.ts";
import { haveMessage } from "../../../src/sharing/requests.ts";
import { FakeClock } from "../../support/fake_clock.ts";

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

Deno.test("ItemDownload.have() of very many files is made once a second for all who ask", async () => {
  for (const [files, isKept] of [[10, false], [5_000, true]] as const) {
    const clock = new FakeClock();
    const components = { clock, local: { rootOf: () => "/nowhere" } };
    const download = new ItemDownload(components as unknown as ItemDownloadComponents, {
      ...{ manifest: manifestOf(files), sources: new Map(), selfId: "us" },
    });
    const first = download.have();
    assert.equal(download.have() === first, isKept);
    if (isKept) assert.equal(frame(haveMessage(first)), frame(haveMessage(first)));
    assert.deepEqual(frame(haveMessage(first)), frame({ Have: { version: "1", files: [] } }));
    await clock.advance(1_001);
    assert.equal(download.have() === first, false);
  }
});
