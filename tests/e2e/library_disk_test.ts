/** A disk that is really full: a small file system of its own, filled while an item is fetched and installed. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { linuxRoot, testNeeding } from "../support/needs.ts";
import { readTree, tarGzOf, writeTree } from "../support/sharing/item_folder.ts";
import { LibraryNode, noiseBytes } from "../support/sharing/library_node.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

const MIB = 1_024 * 1_024;

async function run(program: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(program, { args }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}

/** A file system in memory with so much room; gone at the end. */
async function smallDisk(mib: number) {
  const folder = await tempFolder();
  const path = join(folder.path, "disk");
  await mkdir(path);
  await run("mount", "-t", "tmpfs", "-o", `size=${mib}m`, "almenad-test", path);
  return {
    path,
    async fill(leftMib: number): Promise<void> {
      const { bavail, bsize } = await statfs(path);
      const bytes = Math.floor(Number(bavail) * Number(bsize) - leftMib * MIB);
      // Somebody else may be faster: then it is full as well.
      const args = ["-c", `head -c ${bytes} /dev/zero >'${path}/filler' 2>/dev/null; true`];
      await run("sh", ...args);
    },
    free: () => rm(join(path, "filler")),
    async [Symbol.asyncDispose]() {
      await run("umount", path);
      await folder[Symbol.asyncDispose]();
    },
  };
}

testNeeding(
  [linuxRoot()],
  "A disk that fills up in mid-download ends it by name, hurts nothing, and the next try succeeds (R7)",
  async () => {
    await using disk = await smallDisk(220);
    await using seed = await LibraryNode.start({ limits: { uploadTotal: 20e6 } });
    const publish = async (version: string, big: Uint8Array) => {
      const tar = await tarGzOf({ "game.txt": `of ${version}`, "noise.bin": noiseBytes(3 * MIB) });
      await writeTree(join(seed.dir, "game"), { "version.ini": version, "game.tar.gz": tar, big });
      await seed.scanned();
    };
    await publish("1", noiseBytes(MIB));
    await using us = await LibraryNode.start({ folder: disk.path });
    await us.connect(seed);
    await us.knows("game");
    await us.get("game", true);
    const big = noiseBytes(40 * MIB, 2);
    await publish("2", big);
    await us.sharing.peers.refresh();
    // It does not even begin where it is known beforehand.
    await disk.fill(80);
    await assert.rejects(us.get("game", true), { code: "resource_exhausted" });
    const read = (path: string) => readFile(join(us.dir, "game", path), "utf8");
    assert.equal(await read("version.ini"), "1", "nothing was begun");
    await disk.free();
    // And it fails in the middle where it is not.
    const failed = us.get("game", true).then(() => undefined, (error: Error) => error);
    await waitFor(
      "some of it",
      () => us.events.some(({ payload }) => Number(payload["done_bytes"]) > 6 * MIB),
      30_000,
    );
    await disk.fill(0);
    assert.match(String(await failed), /free disk space|full/);
    assert.equal(await read("local/game.txt"), "of 1", "what is installed stays");
    const names = Object.keys(await readTree(join(us.dir, "game")));
    assert.equal(names.some((name) => name.includes("version.ini")), false);
    await disk.free();
    await us.get("game");
    const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
    assert.equal(hash(await readFile(join(us.dir, "game", "big"))), hash(big));
    // The installation finds no room either, and leaves the version before.
    await disk.fill(66);
    const install = async () => await (await us.sharing.actions.install("game")).done;
    await assert.rejects(install(), { code: "resource_exhausted" });
    assert.equal(await read("local/game.txt"), "of 1");
    await disk.free();
    await install();
    assert.equal(await read("local/game.txt"), "of 2");
  },
  // libp2p in this process leaves a channel of its peer store open.
  { sanitizeOps: false, sanitizeResources: false },
);
