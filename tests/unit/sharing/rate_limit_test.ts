/** Bandwidth limits: kept over time, and low ones slow a transfer without ending it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import type { LibraryNodeInit } from "../../support/sharing/library_node.ts";
import { LibraryNode, noiseBytes } from "../../support/sharing/library_node.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { writeTree } from "../../support/sharing/item_folder.ts";

const SECONDS = process.env["ALMENAD_FULL"] === "1" ? 20 : 3;
const KIB = 1_024;

interface Case {
  readonly what: string;
  readonly rate: number;
  readonly server?: LibraryNodeInit;
  readonly client?: LibraryNodeInit;
}

// Silence is called a stall after so long, less than any whole file takes at these rates.
const patience = { stallMs: 1_200, roundWaitMs: 600 };
const CASES: readonly Case[] = [
  { what: "of uploads", rate: 64 * KIB, server: { limits: { uploadTotal: 64 * KIB } } },
  {
    what: "of one peer's uploads",
    rate: 64 * KIB,
    server: { limits: { uploadPerPeer: 64 * KIB } },
  },
  { what: "of downloads", rate: 256 * KIB, client: { limits: { downloadTotal: 256 * KIB } } },
  {
    what: "of downloads from one peer",
    rate: 256 * KIB,
    client: { limits: { downloadPerPeer: 256 * KIB } },
  },
];

for (const { what, rate, server, client } of CASES) {
  testWithLibp2p(`A low limit ${what} is kept, and nothing takes it for a stall`, async () => {
    await using alice = await LibraryNode.start({ ...server });
    await using bob = await LibraryNode.start({ ...patience, ...client });
    const bytes = rate * SECONDS;
    const count = server ? 5 : 1; // streams that share the rate; a wait for the whole of a chunk
    const tree = Object.fromEntries(
      Array.from({ length: count }, (_, n) => [`${n}.bin`, noiseBytes(bytes / count, n + 1)]),
    );
    await writeTree(join(alice.dir, "game"), { "version.ini": "1", ...tree });
    await alice.scanned();
    await bob.connect(alice);
    await bob.knows("game");
    const begun = performance.now();
    await bob.get("game");
    const seconds = (performance.now() - begun) / 1_000;
    // After a quiet time a quarter of a second's worth passes at once.
    const measured = bytes / (seconds + 0.25);
    assert.equal(measured <= rate * 1.05, true, `${measured / rate} of the limit`);
    assert.equal(measured >= rate * 0.5, true, `${measured / rate} of the limit`);
    assert.equal(bob.topics().includes("library.game-download-failed"), false);
    process.stdout.write(`limit ${what}: ${(measured / rate).toFixed(2)} of it used\n`);
  });
}
