import { peerIdFromString } from "@libp2p/peer-id";
import { formatTcpAddress, type IpAddress, parseTcpAddress } from "./addresses.ts";
import { isOnLink, type Link } from "./mdns_links.ts";

/** Why nothing of an announcement can be used. */
export type ClaimRefusal = "bad_peer_id" | "no_usable_address";

/** What an announcement says, as far as it can be used. */
export interface Claims {
  readonly peerId: string;
  /** Multiaddrs of next neighbours, without `/p2p`; at least one. */
  readonly addresses: readonly string[];
  /** Those that name the host the packet came from. */
  readonly fromSource: ReadonlySet<string>;
}

/** What {@link readClaims} judges by. */
export interface ClaimsInit {
  /** The links the packet may have come over. */
  links: readonly Link[];
  /** Where it came from. */
  source: IpAddress;
  /** Whether a peer id was found valid before: checking one costs a curve point. */
  isChecked(peerId: string): boolean;
}

/** An address and its peer, in base58 as every libp2p writes it. */
const DNSADDR_VALUE = /^(\/.{1,127})\/p2p\/([1-9A-HJ-NP-Za-km-z]{32,64})$/;

/**
 * Judges what a stranger announced: one valid peer id, and only TCP addresses of hosts on the
 * links it was heard on. Never throws.
 */
export function readClaims(
  dnsAddrs: readonly string[],
  { links, source, isChecked }: ClaimsInit,
): Claims | ClaimRefusal {
  const values = dnsAddrs.map((text) => DNSADDR_VALUE.exec(text)).filter((match) => match !== null);
  const [peerId, ...others] = new Set(values.map((match) => match[2]));
  if (!peerId || others.length > 0) return "bad_peer_id";
  const addresses = new Set<string>();
  const fromSource = new Set<string>();
  for (const [, text = ""] of values) {
    const address = parseTcpAddress(text);
    if (!address || !links.some((link) => isOnLink(link, address.ip))) continue;
    const multiaddr = formatTcpAddress(address);
    addresses.add(multiaddr);
    const { family, value } = address.ip;
    if (family === source.family && value === source.value) fromSource.add(multiaddr);
  }
  if (addresses.size === 0) return "no_usable_address";
  if (!isChecked(peerId) && !isPeerId(peerId)) return "bad_peer_id";
  return { peerId, addresses: [...addresses], fromSource };
}

function isPeerId(text: string): boolean {
  try {
    return peerIdFromString(text).toString() === text;
  } catch {
    return false;
  }
}
