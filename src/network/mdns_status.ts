import type { ClaimRefusal } from "./mdns_claims.ts";
import type { RateRefusal } from "./mdns_limits.ts";
import type { AnnouncementRefusal } from "./mdns_peers.ts";

/** A valid announcement of a peer. */
export interface MdnsDiscovered {
  readonly peerId: string;
  /** Multiaddrs on the announcing link's subnets that were heard in the last minute, no `/p2p`. */
  readonly addresses: readonly string[];
  /** Always: addresses of other networks are not passed on. */
  readonly onLink: true;
}

/** Why a packet or what it said was dropped. */
export type MdnsDropReason =
  | "too_large"
  | "off_link"
  | "malformed"
  | RateRefusal
  | ClaimRefusal
  | AnnouncementRefusal;

/** What mDNS does and has seen, for status and metrics. */
export interface MdnsStatus {
  readonly links: readonly {
    readonly interfaceName: string;
    readonly family: 4 | 6;
    readonly address: string;
    /** Packets can be sent, as far as we know. */
    readonly works: boolean;
  }[];
  readonly knownPeers: number;
  readonly strangers: number;
  readonly queriesSent: number;
  readonly answersSent: number;
  readonly packetsReceived: number;
  readonly sendFailures: number;
  /** Since start, by reason. */
  readonly dropped: Readonly<Partial<Record<MdnsDropReason, number>>>;
}
