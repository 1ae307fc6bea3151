import assert from "node:assert/strict";
import { MAX_BOOTSTRAP_PEERS, parseBootstrapPeers } from "../../../src/network/bootstrap.ts";

const ADA = "12D3KooWGatU2DvMshmAmmF9K9gsqTAoFHoZC7hSyxwubFz4h6X7";
const BOB = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";

Deno.test("parseBootstrapPeers() reads a comma list of multiaddrs with peer ids", () => {
  const ada = `/ip4/192.0.2.1/tcp/4001/p2p/${ADA}`;
  const bob = `/dns4/peers.example/tcp/4001/p2p/${BOB}`;
  assert.deepEqual(parseBootstrapPeers(` ${ada} ,${bob},, `), [
    { peerId: ADA, address: ada },
    { peerId: BOB, address: bob },
  ]);
  assert.deepEqual(parseBootstrapPeers(""), []);
});

Deno.test("parseBootstrapPeers() passes over every malformed item and keeps the rest", () => {
  const good = `/ip6/2001:db8::1/tcp/4001/p2p/${ADA}`;
  const bad = [
    "nonsense",
    "/ip4/192.0.2.1/tcp/4001",
    "/ip4/999.0.2.1/tcp/4001/p2p/" + ADA,
    "/ip4/192.0.2.1/tcp/4001/p2p/not-a-peer-id",
    `/ip4/192.0.2.1/tcp/4001/p2p/${ADA}/tcp/1`,
    `/ip4/192.0.2.1/tcp/99999/p2p/${ADA}`,
    "/p2p/",
  ];
  for (const item of bad) {
    const peers = parseBootstrapPeers(`${item},${good}`);
    assert.deepEqual(peers, [{ peerId: ADA, address: good }], item);
  }
});

Deno.test("parseBootstrapPeers() takes so many and no more", () => {
  const list = Array.from({ length: 200 }, (_, n) => `/ip4/192.0.2.1/tcp/${n + 1}/p2p/${ADA}`);
  assert.equal(parseBootstrapPeers(list.join()).length, MAX_BOOTSTRAP_PEERS);
});
