/** The links mDNS speaks on: what the machine's interfaces give, as pure functions. */
import type { NetworkInterfaceInfo } from "node:os";
import {
  formatTcpAddress,
  inSubnet,
  type IpAddress,
  isLinkLocalIpv6,
  isLoopbackIp,
  parseCidr,
  parseIp,
  parseTcpAddress,
  type Subnet,
} from "./addresses.ts";

/** The machine's interfaces by name, as `node:os` tells them. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/**
 * One network we send to: for IPv4 one address of an interface, because a packet carries that
 * address and hosts of another subnet on the same wire would refuse it; for IPv6 one interface,
 * because packets carry its link-local address.
 */
export interface Link {
  /** Unique, and another one whenever the sockets must be made anew. */
  readonly key: string;
  readonly interfaceName: string;
  readonly family: 4 | 6;
  readonly isLoopback: boolean;
  /** Index of the interface where the system tells it, for IPv6 only. */
  readonly scopeId: number;
  /** Where packets come from; for IPv6 one of several. */
  readonly address: string;
  /** Every address of the interface, both families: the link's own first. */
  readonly addresses: readonly IpAddress[];
  /** Of what a packet on this link may come from. */
  readonly sources: readonly Subnet[];
  /** Of what can be reached over this interface, both families. */
  readonly subnets: readonly Subnet[];
}

/** More links than any machine needs; the rest is left out. */
export const MAX_LINKS = 64;

interface InterfaceAddress {
  readonly info: NetworkInterfaceInfo;
  readonly ip: IpAddress;
  readonly subnet: Subnet;
}

/** The links of a machine, loopback last: its peers are the least interesting. */
export function linksOf(interfaces: Interfaces): Link[] {
  const links = Object.entries(interfaces).flatMap(([name, infos]) => linksOfOne(name, infos));
  links.sort((a, b) => Number(a.isLoopback) - Number(b.isLoopback));
  return links.slice(0, MAX_LINKS);
}

function linksOfOne(interfaceName: string, infos: readonly NetworkInterfaceInfo[] = []): Link[] {
  const own = infos.map(readAddress).filter((address) => address !== undefined);
  const ipv4 = own.filter(({ ip }) => ip.family === 4);
  const ipv6 = own.filter(({ ip }) => ip.family === 6);
  const subnets = own.map(({ subnet }) => subnet);
  const isLoopback = own.some(({ ip }) => isLoopbackIp(ip));
  const common = { interfaceName, isLoopback, subnets };
  const links = ipv4.map(({ info, ip, subnet }): Link => ({
    ...common,
    key: `4 ${interfaceName} ${info.cidr} ${info.mac}`,
    family: 4,
    scopeId: 0,
    address: info.address,
    addresses: [...new Set([ip, ...ipsOf(ipv4), ...ipsOf(ipv6)])],
    sources: [subnet],
  }));
  const [first] = ipv6;
  // The loopback takes IPv6 multicast only after a route was added by hand.
  if (!first || (isLoopback && ipv4.length > 0)) return links;
  const scopeId = Math.max(...ipv6.map(({ info }) => info.scopeid ?? 0));
  const cidrs = ipv6.map(({ info }) => info.cidr).sort();
  links.push({
    ...common,
    key: `6 ${interfaceName} ${scopeId} ${cidrs.join()} ${first.info.mac}`,
    family: 6,
    scopeId,
    address: first.info.address,
    addresses: ipsOf([...ipv6, ...ipv4]),
    sources: ipv6.map(({ subnet }) => subnet),
  });
  return links;
}

function ipsOf(addresses: readonly InterfaceAddress[]): IpAddress[] {
  return addresses.map(({ ip }) => ip);
}

function readAddress(info: NetworkInterfaceInfo): InterfaceAddress | undefined {
  const ip = parseIp(info.address);
  const subnet = info.cidr === null ? undefined : parseCidr(info.cidr);
  if (!ip || !subnet || ip.family !== subnet.family) return undefined;
  // DHCPv6 gives single addresses; the wire is still one subnet of 64 bits (RFC 4291 2.5.4).
  const isSingle = ip.family === 6 && subnet.prefixLength > 64 && !isLoopbackIp(ip);
  return { info, ip, subnet: isSingle ? { ...subnet, prefixLength: 64 } : subnet };
}

/** Whether a packet from an address can have come over a link. */
export function isSourceOf(link: Link, ip: IpAddress): boolean {
  return link.sources.some((subnet) => inSubnet(ip, subnet)) ||
    (link.family === 6 && !link.isLoopback && isLinkLocalIpv6(ip));
}

/** Whether an address is one host next to us on a link, so that it may be dialled. */
export function isOnLink(link: Link, ip: IpAddress): boolean {
  return isDialable(ip, link.isLoopback) &&
    link.subnets.some((subnet) => inSubnet(ip, subnet) && !isEdge(ip, subnet));
}

/** Whether an IP address is one of the machine's own on a link. */
export function isOwnOn(link: Link, ip: IpAddress): boolean {
  return link.addresses.some((own) => isSameIp(own, ip));
}

/** Link-local IPv6 needs a zone, which node:net of this runtime cannot dial. */
function isDialable(ip: IpAddress, onLoopback: boolean): boolean {
  return isLoopbackIp(ip) === onLoopback && !isLinkLocalIpv6(ip);
}

function isSameIp(one: IpAddress, other: IpAddress): boolean {
  return one.family === other.family && one.value === other.value;
}

/** The network's own address and its broadcast address are no hosts; RFC 3021 spares /31. */
function isEdge(ip: IpAddress, { prefixLength }: Subnet): boolean {
  if (ip.family === 6 || prefixLength > 30) return false;
  const hosts = (1n << BigInt(32 - prefixLength)) - 1n;
  const host = ip.value & hosts;
  return host === 0n || host === hosts;
}

/**
 * What we announce on a link: our addresses on its interface, the link's own first.
 *
 * @param ownAddresses Multiaddrs we listen on; `0.0.0.0` and `::` stand for every address of the
 *   interface.
 */
export function announcedOn(link: Link, ownAddresses: readonly string[]): string[] {
  const own = ownAddresses.map(parseTcpAddress).filter((address) => address !== undefined);
  const announced = new Set<string>();
  for (const ip of link.addresses.filter((ip) => isDialable(ip, link.isLoopback))) {
    for (const { ip: listened, port } of own) {
      const isWildcard = listened.family === ip.family && listened.value === 0n;
      if (isWildcard || isSameIp(listened, ip)) announced.add(formatTcpAddress({ ip, port }));
    }
  }
  return [...announced];
}

/** One line for logs. */
export function describeLink({ interfaceName, family, address }: Link): string {
  return family === 4 ? `${interfaceName} ${address}` : `${interfaceName} IPv6`;
}
