/** Answers of the daemon by the names the page has for them. */
import type { OutputOf } from "../../client/mod.ts";

type Answer<Name> = OutputOf<"query", Name>;

/** The state of the daemon. */
export type Status = Answer<"core.status">;
/** A link to a connected peer. */
export type Link = Answer<"network.links">["links"][number];
/** A peer, with the figures of its link where it has one. */
export type Peer = Answer<"network.peers">["peers"][number] & Partial<Link>;
/** Why a peer is or is not connected. */
export type Why = Answer<"network.why">;
/** A request for trust. */
export type TrustRequest = Answer<"trust.pending">["requests"][number];
/** A trusted peer. */
export type TrustedPeer = Answer<"trust.list">["peers"][number];
/** How one part of the daemon fares. */
export type HealthEntry = Answer<"core.health">["entries"][number];
/** Something that is fetched. */
export type Transfer = Answer<"library.transfers">["transfers"][number];
/** Cells in a row of a transfer that fare alike. */
export type ChunkRun = Transfer["map"]["runs"][number];
/** Bytes by time. */
export type ThroughputAnswer = Answer<"network.throughput">;
/** An item of the library. */
export type Item = Answer<"library.items">["items"][number];
/** A plugin. */
export type Plugin = Answer<"plugins.list">["plugins"][number];
/** A running policy. */
export type Policy = Answer<"policy.list">["policies"][number];
/** What a shadow policy would have denied. */
export type ShadowVerdict = Answer<"policy.shadow">["verdicts"][number];
/** Where events go by HTTP. */
export type WebhookStats = Answer<"webhook.stats">;

/** The peers with the figures of their links. */
export function withLinks(
  peers: Answer<"network.peers">["peers"],
  links: readonly Link[],
): readonly Peer[] {
  const byId = new Map(links.map((link) => [link.peer_id, link]));
  return peers.map((peer) => ({
    is_relayed: peer.connection === "relayed",
    ...byId.get(peer.peer_id),
    ...peer,
  }));
}
