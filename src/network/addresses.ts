/**
 * IP addresses, subnets and the multiaddrs made of them, as pure functions. Multiaddrs come from
 * strangers here, so every text is bounded before it is looked at.
 */

/** An IP address as a number; IPv4 inside IPv6 (`::ffff:0:0/96`) counts as IPv4. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** All addresses that share their first bits. */
export interface Subnet {
  readonly family: 4 | 6;
  readonly value: bigint;
  readonly prefixLength: number;
}

/** Where a TCP multiaddr points. */
export interface TcpAddress {
  readonly ip: IpAddress;
  readonly port: number;
}

/** Longest text of an IP address: eight groups, the last two as IPv4. */
const MAX_IP_LENGTH = 45;
/** Longest multiaddr looked at. */
const MAX_MULTIADDR_LENGTH = 1_024;
const IPV4 = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;
const IPV6_GROUP = /^[0-9a-f]{1,4}$/i;
const TCP_MULTIADDR = /^\/ip[46]\/([0-9a-f:.]{2,45})\/tcp\/([1-9]\d{0,4})$/i;
/** First component, behind a zone if there is one. */
const IP_MULTIADDR = /^(?:\/ip6zone\/[^/]+)?\/ip[46]\/([^/]+)(?:\/|$)/;

/**
 * Reads an IP address without a zone.
 *
 * @returns `undefined` if the text is none.
 */
export function parseIp(text: string): IpAddress | undefined {
  if (text.length > MAX_IP_LENGTH) return undefined;
  if (!text.includes(":")) return parseIpv4(text);
  const value = parseIpv6(text);
  if (value === undefined) return undefined;
  const isMapped = value >> 32n === 0xffffn;
  return isMapped ? { family: 4, value: value & 0xffff_ffffn } : { family: 6, value };
}

function parseIpv4(text: string): IpAddress | undefined {
  const match = IPV4.exec(text);
  if (!match) return undefined;
  let value = 0n;
  for (const part of match.slice(1)) {
    if (Number(part) > 255) return undefined;
    value = value << 8n | BigInt(part);
  }
  return { family: 4, value };
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map(parseGroups);
  if (!head) return undefined;
  if (halves.length === 1) return head.length === 8 ? joinGroups(head) : undefined;
  if (!tail || head.length + tail.length > 7) return undefined;
  const zeros = new Array<number>(8 - head.length - tail.length).fill(0);
  return joinGroups([...head, ...zeros, ...tail]);
}

function parseGroups(text: string): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    const ipv4 = index === parts.length - 1 ? parseIpv4(part) : undefined;
    if (ipv4) groups.push(Number(ipv4.value >> 16n), Number(ipv4.value & 0xffffn));
    else if (IPV6_GROUP.test(part)) groups.push(parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

function joinGroups(groups: readonly number[]): bigint {
  return groups.reduce((value, group) => value << 16n | BigInt(group), 0n);
}

/** The one text of an address: dotted for IPv4, RFC 5952 for IPv6. */
export function formatIp({ family, value }: IpAddress): string {
  const width = family === 4 ? 8n : 16n;
  const count = family === 4 ? 4 : 8;
  const parts = Array.from(
    { length: count },
    (_, index) => Number(value >> (BigInt(count - 1 - index) * width) & ((1n << width) - 1n)),
  );
  if (family === 4) return parts.join(".");
  const text = parts.map((part) => part.toString(16)).join(":");
  // The longest run of two or more zero groups, the first of equals, is shortened.
  const runs = [...text.matchAll(/\b0(?::0)+\b/g)].sort((a, b) => b[0].length - a[0].length);
  const [longest] = runs;
  if (!longest) return text;
  const before = text.slice(0, longest.index).replace(/:$/, "");
  const after = text.slice(longest.index + longest[0].length).replace(/^:/, "");
  return `${before}::${after}`;
}

/**
 * Reads a subnet such as `10.0.0.0/8`; the address may have bits set behind the prefix.
 *
 * @returns `undefined` if the text is none.
 */
export function parseCidr(text: string): Subnet | undefined {
  const [address = "", length = ""] = text.split("/", 2);
  const ip = parseIp(address);
  if (!ip || !/^\d{1,3}$/.test(length)) return undefined;
  const prefixLength = Number(length);
  return prefixLength <= widthOf(ip.family) ? { ...ip, prefixLength } : undefined;
}

/** Whether an address belongs to a subnet; never across families. */
export function inSubnet(ip: IpAddress, subnet: Subnet): boolean {
  if (ip.family !== subnet.family) return false;
  const rest = BigInt(widthOf(ip.family) - subnet.prefixLength);
  return ip.value >> rest === subnet.value >> rest;
}

function widthOf(family: 4 | 6): number {
  return family === 4 ? 32 : 128;
}

function subnets(...texts: string[]): readonly Subnet[] {
  return texts.map(parseCidr).filter((subnet) => subnet !== undefined);
}

const LOOPBACK = subnets("127.0.0.0/8", "::1/128");
const LINK_LOCAL_IPV6 = subnets("fe80::/10");
/** Contract 1.4. */
const LAN = subnets(
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "::1/128",
  "fe80::/10",
  "fc00::/7",
);
/** Not of one host on the public internet: IANA's special-purpose address registries, multicast. */
const SPECIAL_IPV4 = subnets(
  "0.0.0.0/8",
  "100.64.0.0/10",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
);
const GLOBAL_IPV6 = subnets("2000::/3");
const DOCUMENTATION_IPV6 = subnets("2001:db8::/32", "3fff::/20");

function isIn(ip: IpAddress, ranges: readonly Subnet[]): boolean {
  return ranges.some((range) => inSubnet(ip, range));
}

/** Whether an IP address is the machine's own loopback. */
export function isLoopbackIp(ip: IpAddress): boolean {
  return isIn(ip, LOOPBACK);
}

/** Whether an IPv6 address needs a zone to be dialled. */
export function isLinkLocalIpv6(ip: IpAddress): boolean {
  return isIn(ip, LINK_LOCAL_IPV6);
}

/**
 * The IP address a multiaddr begins with.
 *
 * @returns `undefined` for names (`/dns4/…`), other transports, and relayed addresses
 * (`/p2p-circuit`), whose IP is the relay's.
 */
export function ipOf(multiaddr: string): IpAddress | undefined {
  if (multiaddr.length > MAX_MULTIADDR_LENGTH || multiaddr.includes("/p2p-circuit")) {
    return undefined;
  }
  const text = IP_MULTIADDR.exec(multiaddr)?.[1];
  return text === undefined ? undefined : parseIp(text);
}

/**
 * Reads exactly `/ip4/<ip>/tcp/<port>` or `/ip6/<ip>/tcp/<port>`, port 1 to 65535.
 *
 * @returns `undefined` for every other multiaddr.
 */
export function parseTcpAddress(multiaddr: string): TcpAddress | undefined {
  const match = TCP_MULTIADDR.exec(multiaddr);
  if (!match) return undefined;
  const [, host = "", portText] = match;
  const ip = parseIp(host);
  const port = Number(portText);
  if (!ip || port > 65_535 || multiaddr.startsWith("/ip4/") === host.includes(":")) {
    return undefined;
  }
  return { ip, port };
}

/** The multiaddr of a TCP address, in its one spelling. */
export function formatTcpAddress({ ip, port }: TcpAddress): string {
  return `/ip${ip.family}/${formatIp(ip)}/tcp/${port}`;
}

/**
 * Whether a multiaddr is on the local network, contract 1.4.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(isLan("/ip4/192.168.1.7/tcp/4001"), true);
 * assert.equal(isLan("/ip4/8.8.8.8/tcp/4001"), false);
 * ```
 */
export function isLan(multiaddr: string): boolean {
  const ip = ipOf(multiaddr);
  return ip !== undefined && isIn(ip, LAN);
}

/** Whether a multiaddr is the machine's own loopback. */
export function isLoopback(multiaddr: string): boolean {
  const ip = ipOf(multiaddr);
  return ip !== undefined && isLoopbackIp(ip);
}

/** Whether a multiaddr is of one host on the public internet, so that a country can be told. */
export function isPublic(multiaddr: string): boolean {
  const ip = ipOf(multiaddr);
  if (!ip || isIn(ip, LAN)) return false;
  if (ip.family === 4) return !isIn(ip, SPECIAL_IPV4);
  return isIn(ip, GLOBAL_IPV6) && !isIn(ip, DOCUMENTATION_IPV6);
}
