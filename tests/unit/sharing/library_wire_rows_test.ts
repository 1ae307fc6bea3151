/** What the shared library promises of streams, peers and files on the way (L17, L28, L29, L36 to L38, L40, L44). */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { CHUNK_BYTES, INSTALLING, OWNED } from "../../../src/sharing/names.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { readTree, writeTree } from "../../support/sharing/item_folder.ts";
import { LibraryNode, noiseBytes } from "../../support/sharing/library_node.ts";
import { LyingPeer } from "../../support/sharing/lying_peer.ts";

const BYTES = noiseBytes(6 * CHUNK_BYTES + 1_000, 5);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

async function seed(): Promise<LibraryNode> {
  const node = await LibraryNode.start();
  await writeTree(join(node.dir, "game"), { "version.ini": "1", "data.bin": BYTES });
  await node.scanned();
  return node;
}

testWithLibp2p("Each chunk comes on a stream of its own (L17, L28)", async () => {
  await using alice = await seed();
  await using bob = await LibraryNode.start();
  await bob.connect(alice);
  await bob.knows("game");
  await bob.get("game");
  assert.equal(alice.sharing.served.contentStreams, 7 + 1, "of the file, and the sentinel");
  assert.equal(alice.sharing.served.bytes, BYTES.byteLength + 1);
  assert.equal(sha256(await readFile(join(bob.dir, "game", "data.bin"))), sha256(BYTES));
});

testWithLibp2p(
  "Whole files and ranges are served, and nothing past an end (L17, L29)",
  async () => {
    await using alice = await seed();
    await using liar = await LyingPeer.start(alice, "game", "short");
    await liar.connect(alice);
    const ask = async (request: unknown) =>
      await liar.raw(alice.peerId, new TextEncoder().encode(JSON.stringify(request)));
    const file = { id: "game", path: "data.bin" };
    const size = BYTES.byteLength;
    const whole = `{"Data":{"size":${size}}}`;
    assert.equal(await ask({ GetGameFileData: file }), whole);
    const chunk = (offset: number, length: number) =>
      ask({ GetGameFileChunk: { ...file, offset, length } });
    assert.equal(await chunk(size - 10, 10), '{"Data":{"size":10}}');
    for (const [offset, length] of [[size - 10, 11], [size, 1], [2 ** 52, 1]] as const) {
      assert.match(await chunk(offset, length) ?? "", /BadRequest/, `${offset} ${length}`);
    }
    for (const path of ["none", "version.ini/x", "DATA.bin"]) {
      assert.match(await ask({ GetGameFileData: { ...file, path } }) ?? "", /NotFound/, path);
    }
  },
);

testWithLibp2p("Three peers are fetched from at once, into one file (L36, L37)", async () => {
  await using stack = new AsyncDisposableStack();
  const bob = stack.use(await LibraryNode.start({ strategy: "round-robin" }));
  const peers: LibraryNode[] = [];
  for (let n = 0; n < 3; n++) {
    const peer = stack.use(await seed());
    await bob.connect(peer);
    peers.push(peer);
  }
  await bob.knows("game", 3);
  await bob.get("game");
  const served = peers.map(({ sharing }) => sharing.served.contentStreams);
  assert.equal(served.every((count) => count >= 2), true, `${served}`);
  assert.equal(sha256(await readFile(join(bob.dir, "game", "data.bin"))), sha256(BYTES));
});

testWithLibp2p(
  "What no peer gives in chunks is fetched whole, from its beginning (L38, L40)",
  async () => {
    const bytes = noiseBytes(2_000_000, 7);
    await using honest = await LibraryNode.start();
    await writeTree(join(honest.dir, "game"), { "version.ini": "1", "data.bin": bytes });
    await honest.scanned();
    await using odd = await LyingPeer.start(honest, "game", "whole only");
    await using us = await LibraryNode.start({ stallMs: 2_000, roundWaitMs: 6_000 });
    await odd.connect(us);
    await us.knows("game");
    const longer = noiseBytes(bytes.byteLength + 9_000, 6); // what was there before is longer
    await writeTree(join(us.dir, "game"), { "data.bin": longer });
    await us.get("game");
    assert.equal(odd.asked >= 4, true, `three rounds more before that, not ${odd.asked} questions`);
    assert.equal(odd.wholes >= 1, true);
    assert.equal(sha256(await readFile(join(us.dir, "game", "data.bin"))), sha256(bytes));
  },
);

testWithLibp2p(
  "The mark of ours is there while it is unpacked, and gone afterwards (L44)",
  async () => {
    let marked: boolean | undefined;
    await using us = await LibraryNode.start({
      unpacker: {
        unpack: async (from, to) => {
          assert.equal(to, join(from, INSTALLING));
          marked = (await stat(join(to, OWNED))).isFile();
        },
      },
    });
    await writeTree(join(us.dir, "game"), { "version.ini": "1", a: "a" });
    await us.scanned();
    await (await us.sharing.actions.install("game")).done;
    assert.equal(marked, true);
    const names = Object.keys(await readTree(join(us.dir, "game")));
    assert.equal(names.some((name) => name.includes(OWNED) || name.includes(".local")), false);
  },
);
