/** What a page is told of downloads. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { ChunkMap, MAX_CELLS, MAX_NAMED_PEERS } from "../../../src/sharing/chunk_map.ts";
import { watchTransfers } from "../../../src/operations/transfers.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode, noiseBytes } from "../../support/sharing/library_node.ts";

const MIB = 1_024 * 1_024;

Deno.test("ChunkMap.runs() tells who brought what, in as few runs as there are changes", () => {
  const map = new ChunkMap(6, (index) => index === 0);
  map.landed(1, "alice");
  map.landed(2, "alice");
  map.landed(3, "bob");
  assert.deepEqual(map.runs(new Map([[4, "alice"]])), {
    cellChunks: 1,
    runs: [
      { cells: 1, state: "Kept" },
      { cells: 2, state: "Done", peer: 0 },
      { cells: 1, state: "Done", peer: 1 },
      { cells: 1, state: "Fetching", peer: 0 },
      { cells: 1, state: "Missing" },
    ],
  });
  assert.deepEqual([map.done, map.total, map.peers, map.brought], [4, 6, ["alice", "bob"], [2, 1]]);
});

Deno.test("ChunkMap.runs() stays small however many chunks and peers there are", () => {
  const map = new ChunkMap(100_000, () => false);
  for (let index = 0; index < 100_000; index += 2) map.landed(index, `peer ${index % 200}`);
  const { cellChunks, runs } = map.runs(new Map());
  assert.equal(cellChunks, 49);
  const cells = runs.reduce((sum, run) => sum + run.cells, 0);
  assert.equal(cells <= MAX_CELLS && cells * cellChunks >= 100_000, true, String(cells));
  assert.equal(map.peers.length, MAX_NAMED_PEERS);
  assert.equal(runs.every(({ state }) => state === "Missing"), true);
  for (let index = 1; index < 100_000; index += 2) map.landed(index, "last");
  assert.equal(map.runs(new Map()).runs.every(({ state }) => state === "Done"), true);
  assert.equal(map.done, 100_000);
});

testWithLibp2p("library.transfers_live follows a download to its end, peer by peer", async () => {
  const size = 24 * MIB;
  await using alice = await LibraryNode.start();
  await using bob = await LibraryNode.start();
  await using carol = await LibraryNode.start({ limits: { downloadPerPeer: 12 * MIB } });
  for (const seed of [alice, bob]) {
    await writeTree(join(seed.dir, "game"), {
      "version.ini": "version=1",
      "big.bin": noiseBytes(size),
    });
    await seed.scanned();
    await carol.connect(seed);
  }
  await carol.knows("game", 2);
  const components = { sharing: carol.sharing };
  assert.deepEqual(carol.sharing.transfers(), { transfers: [], more: 0 });
  const begun = await carol.sharing.actions.download("game", {
    ...{ install: false, signal: AbortSignal.timeout(20_000) },
  });
  let most = 0;
  const seen = new Set<string>();
  const context = { signal: AbortSignal.timeout(20_000) };
  for await (const output of watchTransfers.run({}, components, context)) {
    const { transfers: [transfer], more } = watchTransfers.output.parse(output);
    if (!transfer && most > 0) break;
    if (!transfer) continue; // what is to come is being noted
    assert.deepEqual([transfer.id, transfer.version, transfer.status, more], [
      ...["game", "1", "Running", 0],
    ]);
    assert.equal(transfer.bytes_done >= most && transfer.chunks_done <= 7, true);
    most = transfer.bytes_done;
    if (transfer.chunks_total === 0) continue;
    assert.equal(transfer.bytes_total, size + 9);
    assert.equal(transfer.map.runs.reduce((sum, run) => sum + run.cells, 0), 7);
    assert.equal(transfer.peers.length, 2);
    for (const { state, peer } of transfer.map.runs) seen.add(`${state} ${peer ?? ""}`);
  }
  await begun.done;
  assert.equal(most > 0, true);
  assert.equal(seen.has("Fetching 0") && seen.has("Fetching 1"), true, [...seen].join());
  assert.equal([...seen].some((run) => run.startsWith("Done ")), true, [...seen].join());
});
