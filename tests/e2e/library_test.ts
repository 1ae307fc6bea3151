/**
 * The shared library between real daemons, each on a host of its own, with an item of a GiB. The small size of
 * the same is the script of the README, in library_command_test.ts.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fullSize, testNeeding } from "../support/needs.ts";
import { Lan, requireNetns } from "../support/netns.ts";
import { writeTree } from "../support/sharing/item_folder.ts";
import { LibraryDaemon } from "../support/sharing/library_daemon.ts";
import { noiseBytes } from "../support/sharing/library_node.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

const MIB = 1_024 * 1_024;
const SIZE = 1_024 * MIB;

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  const file = await open(path);
  try {
    for (const buffer = new Uint8Array(MIB);;) {
      const { bytesRead } = await file.read(buffer);
      if (bytesRead === 0) return hash.digest("hex");
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

async function writeLarge(path: string, size: number): Promise<void> {
  const file = await open(path, "w");
  for (let at = 0; at < size; at += 32 * MIB) await file.write(noiseBytes(32 * MIB, at + 1));
  await file.close();
}

testNeeding(
  [fullSize(), { name: "netns", isMet: requireNetns("Sharing in full") }],
  "Sharing survives two kills while it fetches from two peers and one while it installs",
  async () => {
    await using lan = await Lan.create(["alice", "bob", "carol"]);
    await using home = await tempFolder();
    const netns = (name: string) => lan.host(name).namespace;
    await using alice = await LibraryDaemon.start({ netns: netns("alice") });
    await using bob = await LibraryDaemon.start({ netns: netns("bob") });
    await writeTree(join(alice.dir, "game"), {
      "version.ini": "version=7\n",
      "a/small.txt": "small",
    });
    await writeLarge(join(alice.dir, "game", "big.bin"), SIZE);
    await new Deno.Command("cp", { args: ["-r", join(alice.dir, "game"), bob.dir] }).output();
    await Promise.all([alice.scan(), bob.scan()]);
    const init = { netns: netns("carol"), dataDir: home.path };
    // Slow enough that there is a middle to kill it in: it goes on by itself at each start.
    await writeTree(home.path, {
      "config/config.toml": `[library]\ndownload_limit = ${SIZE / 16}\n`,
    });
    for (const stop of [0.2, 0.6]) {
      const carol = await LibraryDaemon.start(init);
      if (stop === 0.2) {
        await carol.item("game", ({ peers }) => peers === 2);
        await carol.call("library", "download", { id: "game" });
      }
      await waitFor("a part of the item", async () => {
        const { blocks } = await Deno.stat(join(carol.dir, "game", "big.bin")).catch(() => ({
          blocks: 0,
        }));
        return (blocks ?? 0) * 512 > SIZE * stop;
      }, 120_000);
      await carol.daemon.kill();
      await assert.rejects(Deno.stat(join(carol.dir, "game", "version.ini")));
    }
    let carol = await LibraryDaemon.start(init);
    await carol.item("game", ({ activity }) => activity === "installing", 120_000);
    await carol.daemon.kill();
    carol = await LibraryDaemon.start(init);
    try {
      await carol.item("game", ({ downloaded }) => downloaded);
      await carol.item("game", (item) => item.installed && item.activity === undefined, 60_000);
      const expected = await hashOf(join(alice.dir, "game", "big.bin"));
      assert.equal(await hashOf(join(carol.dir, "game", "big.bin")), expected);
      assert.equal(await hashOf(join(carol.dir, "game", "local", "big.bin")), expected);
      assert.equal(await readFile(join(carol.dir, "game", "version.ini"), "utf8"), "version=7\n");
    } finally {
      await carol[Symbol.asyncDispose]();
    }
  },
);
