import assert from "node:assert/strict";
import fc from "fast-check";
import { parseIp } from "../../../src/network/addresses.ts";
import { readClaims } from "../../../src/network/mdns_claims.ts";
import { linksOf } from "../../../src/network/mdns_links.ts";

const PEER = "12D3KooWB4UkgYwtKUyHkHmEGQabSKCYcLgs5VSzZi17c54ZZnBi";
const OTHER = "12D3KooWE4eY4RK4DQpDxmyKZPS3Q7myBqti1oE3gRnm3mQKgGVu";
const RSA = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";

const links = linksOf({
  eth0: [{
    address: "10.0.0.5",
    cidr: "10.0.0.5/24",
    netmask: "255.255.255.0",
    family: "IPv4",
    mac: "02:00:00:00:00:01",
    internal: false,
  }],
});

function read(dnsAddrs: readonly string[], isChecked = () => false) {
  return readClaims(dnsAddrs, { links, source: parseIp("10.0.0.9")!, isChecked });
}

Deno.test("readClaims() takes the neighbours' TCP addresses of one peer", () => {
  const claims = read([
    `/ip4/10.0.0.9/tcp/4001/p2p/${PEER}`,
    `/ip4/10.0.0.8/tcp/4001/p2p/${PEER}`,
    `/ip4/10.0.0.9/udp/4001/quic-v1/p2p/${PEER}`,
    `/ip4/8.8.8.8/tcp/4001/p2p/${PEER}`,
    `/ip4/127.0.0.1/tcp/4001/p2p/${PEER}`,
    `/dns4/localhost/tcp/4001/p2p/${PEER}`,
  ]);
  assert.deepEqual(claims, {
    peerId: PEER,
    addresses: ["/ip4/10.0.0.9/tcp/4001", "/ip4/10.0.0.8/tcp/4001"],
    fromSource: new Set(["/ip4/10.0.0.9/tcp/4001"]),
  });
});

Deno.test("readClaims() takes ids of every key type", () => {
  for (const peerId of [PEER, RSA]) {
    const claims = read([`/ip4/10.0.0.9/tcp/1/p2p/${peerId}`]);
    assert.ok(typeof claims === "object" && claims.peerId === peerId);
  }
});

Deno.test("readClaims() refuses ids that are wrong, missing, or of several peers", () => {
  const at = "/ip4/10.0.0.9/tcp/4001";
  for (
    const dnsAddrs of [
      [],
      [at],
      [`${at}/p2p/`],
      [`${at}/p2p/${PEER.slice(0, -4)}`],
      [`${at}/p2p/${PEER}0`],
      [`${at}/p2p/${"1".repeat(46)}`],
      [`${at}/p2p/${PEER}`, `${at}/p2p/${OTHER}`],
      [`${at}/p2p/${PEER}/p2p-circuit`],
      ["x".repeat(10_000)],
    ]
  ) {
    assert.equal(read(dnsAddrs), "bad_peer_id", dnsAddrs.join().slice(0, 100));
  }
});

Deno.test("readClaims() refuses peers that are nowhere near", () => {
  assert.equal(read([`/ip4/198.51.100.7/tcp/22/p2p/${PEER}`]), "no_usable_address");
  assert.equal(read([`/ip4/10.0.0.255/tcp/22/p2p/${PEER}`]), "no_usable_address");
  assert.equal(read([`/ip4/10.0.0.9/tcp/0/p2p/${PEER}`]), "no_usable_address");
});

Deno.test("readClaims() never throws, whatever is claimed", () => {
  const part = fc.constantFrom("ip4", "ip6", "tcp", "p2p", "10.0.0.9", "::1", "4001", PEER, "x");
  const address = fc.array(part, { maxLength: 8 }).map((parts) => `/${parts.join("/")}`);
  const claims = fc.array(fc.oneof(address, fc.string()), { maxLength: 70 });
  fc.assert(fc.property(claims, (dnsAddrs) => {
    const claims = read(dnsAddrs);
    if (typeof claims === "object") assert.equal(claims.peerId, PEER);
  }));
});
