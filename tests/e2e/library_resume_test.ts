/** A real daemon, killed with -9 in the midst of a download: it goes on by itself at the next start. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Lan, testInNetns } from "../support/netns.ts";
import { writeTree } from "../support/sharing/item_folder.ts";
import { LibraryDaemon } from "../support/sharing/library_daemon.ts";
import { noiseBytes } from "../support/sharing/library_node.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

const MIB = 1_024 * 1_024;
const SIZE = Deno.env.get("ALMENAD_FULL") === "1" ? 1_024 * MIB : 64 * MIB;
/** Five chunks of 4 MiB may be under way when a daemon is killed; what was verified is not fetched again. */
const IN_FLIGHT = 5 * 4 * MIB;
/** Noise, Yamux, TCP and lists on top of the content. */
const OVERHEAD = 1.06;

testInNetns(
  "A download goes on by itself after kill -9, and fetches nothing verified again",
  async () => {
    await using lan = await Lan.create(["alice", "bob"]);
    await using home = await tempFolder();
    const [alices, bobs] = [lan.host("alice").namespace, lan.host("bob").namespace];
    await using alice = await LibraryDaemon.start({ netns: alices });
    const content = noiseBytes(SIZE);
    await writeTree(join(alice.dir, "game"), { "version.ini": "version=7\n", "big.bin": content });
    await alice.scan();
    await writeTree(home.path, {
      "config/config.toml": `[library]\ndownload_limit = ${SIZE / 4}\n`,
    });
    const init = { netns: bobs, dataDir: home.path };
    const sentBy = async () =>
      Number((await lan.run("alice", ["cat", "/sys/class/net/eth0/statistics/tx_bytes"])).stdout);
    const sentBefore = await sentBy();
    const fetched = async (bob: LibraryDaemon) =>
      ((await Deno.stat(join(bob.dir, "game", "big.bin")).catch(() => undefined))?.blocks ?? 0) *
      512;
    let bob = await LibraryDaemon.start(init);
    await bob.item("game", ({ peers }) => peers === 1);
    await bob.call("library", "download", { id: "game", install: false });
    for (const share of [0.25, 0.5]) {
      await waitFor("a part of it", async () => await fetched(bob) > SIZE * share, 60_000);
      await bob.daemon.kill();
      await assert.rejects(Deno.stat(join(bob.dir, "game", "version.ini")), "it was not complete");
      bob = await LibraryDaemon.start(init); // and nobody asks for anything
    }
    try {
      await bob.item("game", ({ downloaded, activity }) => downloaded && !activity, 120_000);
      const path = join(bob.dir, "game", "big.bin");
      assert.equal(Buffer.compare(await readFile(path), content), 0);
      const twice = (await sentBy() - sentBefore) / OVERHEAD - SIZE;
      assert.equal(twice < 2 * IN_FLIGHT, true, `${twice} bytes were fetched twice`);
      await bob.daemon.kill();
      bob = await LibraryDaemon.start(init);
      await bob.item("game", ({ peers }) => peers === 1);
      const { activity } = await bob.item("game", () => true);
      assert.equal(activity, undefined, "what is complete is not fetched again");
    } finally {
      await bob[Symbol.asyncDispose]();
    }
  },
);
