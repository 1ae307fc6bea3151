import assert from "node:assert/strict";
import { isIP } from "node:net";
import fc from "fast-check";
import {
  formatIp,
  formatTcpAddress,
  inSubnet,
  ipOf,
  isLan,
  isLoopback,
  isPublic,
  parseCidr,
  parseIp,
  parseTcpAddress,
} from "../../../src/network/addresses.ts";

Deno.test("parseIp() agrees with node:net on what an address is", () => {
  const almost = fc.stringMatching(/^[0-9a-fA-F:.]{0,47}$/);
  const text = fc.oneof(fc.ipV4(), fc.ipV6(), almost, fc.string());
  fc.assert(fc.property(text, (text) => {
    const family = isIP(text);
    if (text.includes("%")) return; // zones are not addresses here
    assert.equal(parseIp(text) !== undefined, family !== 0, text);
  }));
});

Deno.test("formatIp() writes what parseIp() reads", () => {
  fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
    const ip = parseIp(text)!;
    assert.deepEqual(parseIp(formatIp(ip)), ip);
  }));
});

Deno.test("formatIp() gives the spelling of RFC 5952", () => {
  const spellings = {
    "2001:0DB8:0:0:0:0:0:1": "2001:db8::1",
    "2001:db8:0:0:1:0:0:1": "2001:db8::1:0:0:1",
    "2001:db8:0:1:1:1:1:1": "2001:db8:0:1:1:1:1:1",
    "0:0:0:0:0:0:0:0": "::",
    "fe80:0:0:0:0:0:0:0": "fe80::",
    "1:0:0:2:0:0:0:3": "1:0:0:2::3",
    "::ffff:10.1.2.3": "10.1.2.3",
    "64:ff9b::192.0.2.33": "64:ff9b::c000:221",
  };
  for (const [text, expected] of Object.entries(spellings)) {
    assert.equal(formatIp(parseIp(text)!), expected);
  }
});

Deno.test("inSubnet() compares the first bits, within one family", () => {
  const rows: [string, string, boolean][] = [
    ["10.0.0.1", "10.0.0.0/24", true],
    ["10.0.1.1", "10.0.0.7/24", false],
    ["10.0.1.1", "10.0.0.7/23", true],
    ["8.8.8.8", "0.0.0.0/0", true],
    ["fd00::1", "fd00::/64", true],
    ["fd00:0:0:1::1", "fd00::/64", false],
    ["::1", "0.0.0.0/0", false],
    ["10.0.0.1", "10.0.0.1/32", true],
    ["10.0.0.2", "10.0.0.1/32", false],
  ];
  for (const [ip, cidr, expected] of rows) {
    assert.equal(inSubnet(parseIp(ip)!, parseCidr(cidr)!), expected, `${ip} in ${cidr}`);
  }
});

Deno.test("parseCidr() refuses what is no subnet", () => {
  for (const text of ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/x", "::/129", "x/8", "1.2.3.4/-1"]) {
    assert.equal(parseCidr(text), undefined, text);
  }
});

Deno.test("isLan() holds the ranges of contract 1.4, and their edges", () => {
  const inside = [
    "10.0.0.0",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.7.7",
    "::1",
    "fe80::1",
    "febf::1",
    "fc00::1",
    "fdff::1",
    "::ffff:192.168.1.1",
  ];
  const outside = [
    "9.255.255.255",
    "11.0.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "192.169.0.0",
    "169.253.0.1",
    "100.64.0.1",
    "8.8.8.8",
    "::2",
    "fec0::1",
    "fbff::1",
    "2001:db8::1",
    "::ffff:8.8.8.8",
  ];
  const toMultiaddr = (ip: string) => `/ip${ip.includes(":") ? 6 : 4}/${ip}/tcp/4001`;
  for (const ip of inside) assert.equal(isLan(toMultiaddr(ip)), true, ip);
  for (const ip of outside) assert.equal(isLan(toMultiaddr(ip)), false, ip);
});

Deno.test("isLan() takes every form of multiaddr, and no word for an address", () => {
  assert.equal(isLan("/ip4/10.0.0.1"), true);
  assert.equal(isLan("/ip4/10.0.0.1/udp/4001/quic-v1/p2p/12D3KooW"), true);
  assert.equal(isLan("/ip6zone/eth0/ip6/fe80::1/tcp/4001"), true);
  assert.equal(isLan("/dns4/10.0.0.1/tcp/4001"), false);
  assert.equal(isLan("/ip4/10.0.0.1/tcp/4001/p2p/QmRelay/p2p-circuit"), false);
  assert.equal(isLan("/ip4/10.0.0.999/tcp/4001"), false);
  assert.equal(isLan("10.0.0.1"), false);
  assert.equal(isLan(""), false);
  assert.equal(isLan(`/ip4/10.0.0.1${"/x".repeat(10_000)}`), false);
});

Deno.test("isLoopback() and isPublic() are told apart from the LAN", () => {
  assert.equal(isLoopback("/ip4/127.3.2.1/tcp/1"), true);
  assert.equal(isLoopback("/ip6/::1/tcp/1"), true);
  assert.equal(isLoopback("/ip4/10.0.0.1/tcp/1"), false);
  for (const ip of ["8.8.8.8", "100.63.0.1", "223.255.255.1", "2606:4700::1"]) {
    assert.equal(isPublic(`/ip${ip.includes(":") ? 6 : 4}/${ip}/tcp/1`), true, ip);
  }
  for (
    const ip of [
      "10.0.0.1",
      "0.0.0.0",
      "100.64.0.1",
      "192.0.2.1",
      "198.18.0.1",
      "224.0.0.251",
      "255.255.255.255",
      "::",
      "ff02::fb",
      "2001:db8::1",
      "64:ff9b::808:808",
    ]
  ) {
    assert.equal(isPublic(`/ip${ip.includes(":") ? 6 : 4}/${ip}/tcp/1`), false, ip);
  }
});

Deno.test("parseTcpAddress() reads exactly one IP and one TCP port", () => {
  assert.equal(
    formatTcpAddress(parseTcpAddress("/ip4/10.0.0.1/tcp/65535")!),
    "/ip4/10.0.0.1/tcp/65535",
  );
  assert.equal(formatTcpAddress(parseTcpAddress("/ip6/FD00::0:1/tcp/1")!), "/ip6/fd00::1/tcp/1");
  for (
    const text of [
      "/ip4/10.0.0.1/tcp/0",
      "/ip4/10.0.0.1/tcp/65536",
      "/ip4/10.0.0.1/tcp/04001",
      "/ip4/10.0.0.1/udp/4001",
      "/ip4/10.0.0.1/tcp/4001/ws",
      "/ip4/::1/tcp/4001",
      "/ip6/10.0.0.1/tcp/4001",
      "/dns4/host/tcp/4001",
      "/ip4/10.0.0.1/tcp/4001/p2p/x",
      "x/ip4/10.0.0.1/tcp/4001",
      "/ip4/10.0.0.1/tcp/4001\n",
    ]
  ) {
    assert.equal(parseTcpAddress(text), undefined, text);
  }
});

Deno.test("ipOf(), isLan() and parseTcpAddress() never throw", () => {
  const text = fc.oneof(
    fc.string(),
    fc.stringMatching(/^\/(ip4|ip6|ip6zone|dns4)\/[0-9a-f:.%]{0,50}(\/tcp\/[0-9]{0,7})?$/),
  );
  fc.assert(fc.property(text, (text) => {
    ipOf(text);
    isLan(text);
    parseTcpAddress(text);
  }));
});
