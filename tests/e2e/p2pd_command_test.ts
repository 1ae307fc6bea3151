/** The p2pd command by itself: silence, help, wrong flags, signals; and what a lone node has told nobody yet. */
import assert from "node:assert/strict";
import { CID } from "multiformats/cid";
import { sha256 } from "multiformats/hashes/sha2";
import { join } from "node:path";
import { almenadCommand, runAlmenad } from "../support/daemon.ts";
import { P2PClient } from "../../src/p2pd/client/mod.ts";
import { LineProcess } from "../support/line_process.ts";
import { P2pd } from "../support/p2pd_process.ts";
import { tempFolder } from "../support/temp_folder.ts";
import { waitFor } from "../support/wait.ts";

Deno.test("p2pd -q says nothing, and Ctrl-C ends it in order", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "q.sock");
  const flags = ["p2pd", "-q", `-listen=/unix${path}`, "-hostAddrs=/ip4/127.0.0.1/tcp/0"];
  const child = new LineProcess({ command: [...almenadCommand(), ...flags] });
  const client = new P2PClient(`/unix${path}`);
  await waitFor("an answer", () => client.identify().catch(() => false), 20_000);
  await client.close();
  assert.equal((await child.stop("SIGINT")).code, 0);
  assert.deepEqual([child.lines, child.stderr], [[], []]);
  await assert.rejects(Deno.stat(path));
});

Deno.test("p2pd -help ends with 0, a flag that nobody knows with 2, and both show the flags", async () => {
  for (const [flag, code] of [["-help", 0], ["-nonsense", 2]] as const) {
    const ended = await runAlmenad(["p2pd", flag]);
    assert.equal(ended.code, code);
    assert.match(ended.stderr, /-bootstrapPeers[\s\S]*-trustedRelays/);
  }
});

Deno.test("p2pd PROVIDE of a lone node is found by a peer that joins later", async () => {
  const cid = CID.createV1(0x55, await sha256.digest(new TextEncoder().encode("lone")));
  await using lone = await P2pd.start("almenad", { flags: ["-dhtServer"] });
  await lone.client.dhtProvide(cid, 5);
  await using late = await P2pd.start("almenad", { flags: ["-dhtServer"] });
  await late.join(lone);
  await waitFor("the provider", async () => {
    const found = await late.client.dhtFindProviders(cid, 1, 3);
    return found[0]?.peerId === lone.peerId;
  });
});
