/** Peers that lie, stall, leave or change their mind; each test is one honest library and such a peer. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { readTree, writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode, noiseBytes } from "../../support/sharing/library_node.ts";
import { type Lie, LyingPeer } from "../../support/sharing/lying_peer.ts";

const MIB = 1_024 * 1_024;
const BYTES = noiseBytes(12 * MIB);

async function seed(): Promise<LibraryNode> {
  const node = await LibraryNode.start();
  await writeTree(join(node.dir, "game"), { "version.ini": "1", "data.bin": BYTES });
  await node.scanned();
  return node;
}

const LIES: readonly Lie[] = [
  "flipped byte",
  "short",
  "long",
  "empty",
  "endless",
  "stall",
  "leave",
  "size",
];
for (const lie of LIES) {
  testWithLibp2p(
    `Downloader.run() gets the right bytes beside a peer that sends ${lie}`,
    async () => {
      await using honest = await seed();
      await using liar = await LyingPeer.start(honest, "game", lie);
      // Only the one who stalls need be found out soon; an honest one may be slow on a busy machine.
      const stallMs = lie === "stall" ? 1_000 : 10_000;
      await using us = await LibraryNode.start({ stallMs, roundWaitMs: 10_000 });
      await us.connect(honest);
      await liar.connect(us);
      await us.knows("game", 2);
      await us.get("game");
      const tree = await readTree(join(us.dir, "game"));
      const hash = createHash("sha256").update(tree["data.bin"] ?? "", "latin1").digest("hex");
      assert.equal(hash, createHash("sha256").update(BYTES).digest("hex"));
      assert.equal(liar.asked <= 5, true, `the liar was asked ${liar.asked} times`);
    },
  );
}

testWithLibp2p(
  "Downloader.run() fails without a sentinel when nobody sends the truth",
  async () => {
    await using honest = await seed();
    await using liar = await LyingPeer.start(honest, "game", "flipped byte");
    await using us = await LibraryNode.start({ stallMs: 400, roundWaitMs: 500 });
    await liar.connect(us);
    await us.knows("game");
    await assert.rejects(us.get("game"), { name: "DaemonError", code: "unavailable" });
    const names = Object.keys(await readTree(join(us.dir, "game")));
    assert.equal(names.some((name) => name.includes("version.ini")), false);
    assert.equal(
      us.topics().at(-1)?.includes("failed") ||
        us.topics().includes("library.game-download-failed"),
      true,
    );
  },
);

const PATHS = [
  ...[
    "../evil",
    "a/../../evil",
    "/etc/evil",
    "C:\\evil",
    "C:/evil",
    "a\\..\\evil",
    "..",
    ".",
    "a//b",
    "",
  ],
  ...[
    "con",
    "aux.txt",
    "lpt1",
    "a/nul",
    "name.",
    "name ",
    "a\u0000b",
    "local/x",
    ".lanspread.json",
    "LOCAL/x",
  ],
  ...[
    ".local.backup/x",
    "\u2025/x",
    "a/\uff0e\uff0e/x",
    `${"n".repeat(256)}`,
    `${"d/".repeat(70)}x`,
    "a:b",
    "a\nb",
  ],
];
testWithLibp2p(
  "PeerClient.getGame() refuses a manifest with any name that could leave the item",
  async () => {
    await using honest = await seed();
    await using us = await LibraryNode.start();
    await using liar = await LyingPeer.start(honest, "game", { path: "" });
    await liar.connect(us);
    await us.knows("game");
    for (const path of PATHS) {
      liar.lie = { path };
      await assert.rejects(us.get("game"), { name: "DaemonError" }, JSON.stringify(path));
      await assert.rejects(access(join(us.folder, "evil")));
    }
  },
);

testWithLibp2p(
  "PeerServer answers garbage with BadRequest or a reset, and goes on serving",
  async () => {
    await using honest = await seed();
    await using liar = await LyingPeer.start(honest, "game", "short");
    await using us = await LibraryNode.start();
    await liar.connect(honest);
    const inputs = [
      ...[
        "",
        "{}",
        "nonsense",
        '{"Ping":{}}{"Ping":{}}',
        '{"GetGame":{"id":"../x"}}',
        '{"Shutdown":{}}',
      ],
      '{"GetGameFileChunk":{"id":"game","path":"../../x","offset":0,"length":1}}',
      '{"GetGameFileChunk":{"id":"game","path":"data.bin","offset":12582912,"length":1}}',
      '{"GetGameFileChunk":{"id":"game","path":"data.bin","offset":-1,"length":4194305}}',
      '{"GetGameFileData":{"id":"game","path":"local/x"}}',
    ];
    for (const input of inputs) {
      const answer = await liar.raw(honest.peerId, new TextEncoder().encode(input));
      assert.equal(
        answer === undefined || /"(BadRequest|NotFound)"/.test(answer),
        true,
        `${input}: ${answer}`,
      );
    }
    const huge = await liar.raw(honest.peerId, new Uint8Array(300_000).fill(120));
    assert.equal(huge === undefined || huge.includes("BadRequest"), true);
    await us.connect(honest);
    await us.knows("game");
    await us.get("game");
  },
);
