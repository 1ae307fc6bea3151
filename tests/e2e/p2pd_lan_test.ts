/** p2pds on hosts of their own: the DHT across a bridge. */
import assert from "node:assert/strict";
import { CID } from "multiformats/cid";
import { sha256 } from "multiformats/hashes/sha2";
import { Buffer } from "node:buffer";
import { Lan, testInNetns } from "../support/netns.ts";
import { P2pd } from "../support/p2pd_process.ts";
import { waitFor } from "../support/wait.ts";

testInNetns("p2pd DHT on three hosts: put, get, provide and find across a bridge", async () => {
  await using lan = await Lan.create(["alice", "hub", "bob"], { hasIpv6: false });
  const on = (name: string) =>
    P2pd.start("almenad", {
      flags: ["-dhtServer"],
      netns: lan.host(name).namespace,
      hostAddrs: `/ip4/${lan.host(name).ipv4}/tcp/4001`,
    });
  await using hub = await on("hub");
  await using alice = await on("alice");
  await using bob = await on("bob");
  await alice.join(hub);
  await bob.join(hub);
  for (const one of [alice, bob]) {
    await waitFor(
      "the routing table",
      async () => (await one.client.dhtClosestPeers(Buffer.from("/lan/key"))).length > 0,
      20_000,
    );
  }

  const key = Buffer.from("/lan/key");
  await alice.client.dhtPutValue(key, Buffer.from("across"), 20);
  assert.equal(Buffer.from((await bob.client.dhtGetValue(key, 20)).value).toString(), "across");

  const cid = CID.createV1(0x55, await sha256.digest(Buffer.from("content of alice")));
  await alice.client.dhtProvide(cid, 20);
  const providers = await bob.client.dhtFindProviders(cid, 1, 20);
  assert.deepEqual(providers.map(({ peerId }) => peerId), [alice.peerId]);

  const found = await bob.client.dhtFindPeer(alice.peerId, 20);
  assert.ok(found.addrs.some((addr) => addr.startsWith(`/ip4/${lan.host("alice").ipv4}/tcp/`)));
});
