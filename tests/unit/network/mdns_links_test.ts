import assert from "node:assert/strict";
import type { NetworkInterfaceInfo } from "node:os";
import { parseIp } from "../../../src/network/addresses.ts";
import {
  announcedOn,
  isOnLink,
  isSourceOf,
  type Link,
  linksOf,
  MAX_LINKS,
} from "../../../src/network/mdns_links.ts";

function info(cidr: string, scopeid = 0): NetworkInterfaceInfo {
  const address = cidr.split("/")[0]!;
  const common = { address, cidr, netmask: "", mac: "02:00:00:00:00:01", internal: false };
  return address.includes(":")
    ? { ...common, family: "IPv6", scopeid }
    : { ...common, family: "IPv4" };
}

const INTERFACES = {
  lo: [info("127.0.0.1/8"), info("::1/128")],
  eth0: [
    info("10.0.0.5/24"),
    info("192.168.7.5/24"),
    info("fe80::5/64", 3),
    info("fd00::5/128"),
  ],
  eth1: [info("172.16.0.5/16")],
};

function link(name: string, family: 4 | 6, index = 0): Link {
  return linksOf(INTERFACES).filter((link) =>
    link.interfaceName === name && link.family === family
  )[index]!;
}

const ip = (text: string) => parseIp(text)!;

Deno.test("linksOf() gives a link for each IPv4 address and each IPv6 interface, loopback last", () => {
  const links = linksOf(INTERFACES).map(({ interfaceName, family, address }) =>
    `${interfaceName} ${family} ${address}`
  );
  assert.deepEqual(links, [
    "eth0 4 10.0.0.5",
    "eth0 4 192.168.7.5",
    "eth0 6 fe80::5",
    "eth1 4 172.16.0.5",
    "lo 4 127.0.0.1",
  ]);
  assert.equal(link("eth0", 6).scopeId, 3);
});

Deno.test("linksOf() gives other keys when an address, an index or a card changed", () => {
  const keys = (infos: NetworkInterfaceInfo[]) => linksOf({ eth0: infos }).map(({ key }) => key);
  const before = keys([info("10.0.0.5/24")]);
  assert.deepEqual(keys([info("10.0.0.5/24")]), before);
  assert.notDeepEqual(keys([info("10.0.0.6/24")]), before);
  assert.notDeepEqual(keys([info("10.0.0.5/23")]), before);
  assert.notDeepEqual(keys([{ ...info("10.0.0.5/24"), mac: "02:00:00:00:00:02" }]), before);
  assert.notDeepEqual(keys([info("fe80::5/64", 3)]), keys([info("fe80::5/64", 4)]));
});

Deno.test("linksOf() passes over what it cannot read and stays bounded", () => {
  assert.deepEqual(
    linksOf({ eth0: undefined, eth1: [{ ...info("10.0.0.5/24"), cidr: null }] }),
    [],
  );
  const many = Object.fromEntries(
    Array.from({ length: 200 }, (_, index) => [`br${index}`, [info(`10.0.${index}.1/24`)]]),
  );
  assert.equal(linksOf(many).length, MAX_LINKS);
});

Deno.test("isSourceOf() takes packets from the link's own subnet alone", () => {
  assert.equal(isSourceOf(link("eth0", 4), ip("10.0.0.9")), true);
  assert.equal(isSourceOf(link("eth0", 4), ip("192.168.7.9")), false);
  assert.equal(isSourceOf(link("eth0", 4, 1), ip("192.168.7.9")), true);
  assert.equal(isSourceOf(link("eth0", 4), ip("8.8.8.8")), false);
  assert.equal(isSourceOf(link("eth0", 6), ip("fe80::9")), true);
  assert.equal(isSourceOf(link("eth0", 6), ip("fd00::9")), true);
  assert.equal(isSourceOf(link("eth0", 6), ip("fd00:1::9")), false);
  assert.equal(isSourceOf(link("lo", 4), ip("127.0.0.1")), true);
  assert.equal(isSourceOf(link("lo", 4), ip("10.0.0.5")), false);
});

Deno.test("isOnLink() takes hosts of the interface's subnets, loopback only on the loopback", () => {
  const rows: [Link, string, boolean][] = [
    [link("eth0", 4), "10.0.0.9", true],
    [link("eth0", 4), "192.168.7.9", true],
    [link("eth0", 4), "fd00::9", true],
    [link("eth0", 4), "10.0.0.0", false],
    [link("eth0", 4), "10.0.0.255", false],
    [link("eth0", 4), "172.16.0.9", false],
    [link("eth0", 4), "127.0.0.1", false],
    [link("eth0", 4), "8.8.8.8", false],
    [link("eth0", 6), "fe80::9", false],
    [link("eth0", 6), "::1", false],
    [link("lo", 4), "127.0.0.1", true],
    [link("lo", 4), "::1", true],
    [link("lo", 4), "10.0.0.9", false],
  ];
  for (const [link, text, expected] of rows) {
    assert.equal(isOnLink(link, ip(text)), expected, `${text} on ${link.key}`);
  }
});

Deno.test("announcedOn() tells a link the addresses of its interface", () => {
  const own = [
    "/ip4/127.0.0.1/tcp/4001",
    "/ip4/10.0.0.5/tcp/4001",
    "/ip4/192.168.7.5/tcp/4001",
    "/ip4/172.16.0.5/tcp/4001",
    "/ip6/::1/tcp/4002",
    "/ip6/fd00::5/tcp/4002",
    "/ip4/10.0.0.5/udp/4001/quic-v1",
  ];
  assert.deepEqual(announcedOn(link("eth0", 4), own), [
    "/ip4/10.0.0.5/tcp/4001",
    "/ip4/192.168.7.5/tcp/4001",
    "/ip6/fd00::5/tcp/4002",
  ]);
  assert.deepEqual(announcedOn(link("eth0", 6), own)[0], "/ip6/fd00::5/tcp/4002");
  assert.deepEqual(announcedOn(link("lo", 4), own), [
    "/ip4/127.0.0.1/tcp/4001",
    "/ip6/::1/tcp/4002",
  ]);
});

Deno.test("announcedOn() takes wildcards for every address of the interface", () => {
  assert.deepEqual(announcedOn(link("eth0", 4), ["/ip4/0.0.0.0/tcp/1", "/ip6/::/tcp/2"]), [
    "/ip4/10.0.0.5/tcp/1",
    "/ip4/192.168.7.5/tcp/1",
    "/ip6/fd00::5/tcp/2",
  ]);
});

Deno.test("announcedOn() puts the link's own address first", () => {
  const wildcard = ["/ip4/0.0.0.0/tcp/1"];
  assert.equal(announcedOn(link("eth0", 4, 1), wildcard)[0], "/ip4/192.168.7.5/tcp/1");
});
