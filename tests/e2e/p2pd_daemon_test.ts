/** The daemon serves p2pd beside its other doors; DHT and pubsub as operations too. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { P2PClient } from "../../src/p2pd/client/mod.ts";
import { startDaemon } from "../support/daemon.ts";
import { P2pd } from "../support/p2pd_process.ts";
import { waitFor } from "../support/wait.ts";

Deno.test("--p2pd-listen serves the same swarm, and what is stored outlives a restart", async () => {
  const folder = await Deno.makeTempDir({ prefix: "p2pd-" });
  const listen = `/unix${folder}/p2pd.sock`;
  const args = ["--p2pd-listen", listen, "--p2p-listen", "/ip4/127.0.0.1/tcp/0"];
  const init = { args, dataDir: `${folder}/data` };
  await Deno.mkdir(`${folder}/data/config`, { recursive: true });
  await Deno.writeTextFile(
    `${folder}/data/config/config.toml`,
    '[geolocation]\nurl = "http://127.0.0.1:9/"\n',
  );
  const key = Buffer.from("/daemon/key");
  {
    await using daemon = await startDaemon(init);
    const client = new P2PClient(listen);
    assert.equal(await client.identify(), daemon.ready.peer_id);
    await client.dhtPutValue(key, Buffer.from("kept"), 10);
    await using other = await P2pd.start("almenad", { flags: ["-dht", "-pubsub"] });
    await other.client.connect(daemon.ready.peer_id, (await client.info()).addrs);
    await waitFor(
      "the routing table",
      async () => (await other.client.dhtClosestPeers(key)).length > 0,
    );
    assert.equal(Buffer.from((await other.client.dhtGetValue(key, 5)).value).toString(), "kept");
  }
  {
    await using _daemon = await startDaemon(init);
    const client = new P2PClient(listen);
    assert.equal(Buffer.from((await client.dhtGetValue(key, 5)).value).toString(), "kept");
  }
  await Deno.remove(folder, { recursive: true });
});
