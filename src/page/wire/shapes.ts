/** Answers as the page reads them. Fields that an older daemon lacks may be missing. */
import type { OutputOf } from "../../client/mod.ts";

/** A peer as `network.peers` tells it, with the figures of its link. */
export type Peer = OutputOf<"query", "network.peers">["peers"][number] & Partial<Link>;

/** A link to a connected peer, by `network.links`. */
export interface Link {
  readonly peer_id: string;
  readonly direction: "in" | "out";
  readonly is_relayed: boolean;
  readonly connected_at_ms: number;
  readonly latency_ms?: number;
  readonly in_bytes_per_second: number;
  readonly out_bytes_per_second: number;
}

/** The peers with the figures of their links. */
export function withLinks(
  peers: OutputOf<"query", "network.peers">["peers"],
  links: readonly Link[],
): readonly Peer[] {
  const byId = new Map(links.map((link) => [link.peer_id, link]));
  return peers.map((peer) => {
    const link = byId.get(peer.peer_id);
    if (!link) return peer;
    const { direction, is_relayed, connected_at_ms, latency_ms } = link;
    const { in_bytes_per_second, out_bytes_per_second } = link;
    return {
      ...{ ...peer, direction, is_relayed, connected_at_ms },
      ...{ in_bytes_per_second, out_bytes_per_second },
      ...(latency_ms === undefined ? {} : { latency_ms }),
    };
  });
}

/** A request as `trust.pending` tells it. */
export type TrustRequest = OutputOf<"query", "trust.pending">["requests"][number] & {
  readonly name?: string;
  readonly words?: readonly string[];
  readonly state?: "new" | "later" | "ignored";
};

/** Why a peer is or is not connected, by `network.why`. */
export interface Why {
  readonly state: string;
  readonly summary: string;
  readonly remedy: string;
  readonly next_try_in_ms?: number;
  /** Newest first. */
  readonly history: readonly {
    readonly time: string;
    readonly count: number;
    readonly event: string;
    readonly ok: boolean;
    readonly addresses: readonly string[];
    readonly reason: string;
    readonly words: string;
  }[];
}

/** How the daemon fares, by `core.health`. */
export interface HealthAnswer {
  readonly state: "ok" | "degraded" | "warning";
  readonly entries: readonly HealthEntry[];
}

/** How one part fares. */
export interface HealthEntry {
  readonly component: string;
  readonly state: "ok" | "failing" | "warning";
  readonly problem: string;
  readonly remedy: string;
}

/** How far something is that is fetched, by `library.transfers`. */
export interface Transfer {
  readonly id: string;
  readonly version: string;
  readonly status: "Running" | "Waiting";
  readonly bytes_total: number;
  readonly bytes_done: number;
  readonly bytes_per_second: number;
  readonly seconds_left?: number;
  readonly chunks_total: number;
  readonly chunks_done: number;
  readonly peers: readonly TransferPeer[];
  readonly map: { readonly cell_chunks: number; readonly runs: readonly ChunkRun[] };
  readonly problem?: string;
  readonly retry_at_ms?: number;
}

/** Somebody who brings chunks. */
export interface TransferPeer {
  readonly peer_id: string;
  readonly bytes_per_second: number;
  readonly chunks: number;
  readonly status: string;
  readonly problem?: string;
}

/** Cells in a row that fare alike. */
export interface ChunkRun {
  readonly cells: number;
  readonly state: "Missing" | "Fetching" | "Done" | "Kept";
  /** Index into the transfer's peers. */
  readonly peer?: number;
}

/** One step of `network.throughput`. */
export interface ThroughputPoint {
  readonly time_ms: number;
  readonly in_bytes: number;
  readonly out_bytes: number;
}

/** What `webhook.stats` tells. */
export interface WebhookStats {
  readonly url: string;
  readonly dropped: number;
  readonly circuit_skips: number;
  readonly delivered?: number;
  readonly failed?: number;
  readonly queued?: number;
  readonly is_paused?: boolean;
  readonly last_delivery?: {
    readonly time: string;
    readonly event: string;
    readonly status: number;
  };
  readonly last_error?: { readonly time: string; readonly event: string; readonly reason: string };
}

/** A running policy. */
export type Policy = Readonly<Record<string, unknown>>;

/** One verdict of a shadow policy. */
export interface ShadowVerdict {
  readonly time: string;
  readonly network: number;
  readonly event: string;
  readonly peer_id: string;
  readonly port: number;
  readonly rule: string;
  readonly reason: string;
  readonly count: number;
}

/** What shadow policies would have denied, by `policy.shadow`. */
export interface ShadowAnswer {
  readonly verdicts: readonly ShadowVerdict[];
  readonly policies: readonly {
    readonly network: number;
    readonly allowed: number;
    readonly would_deny: number;
  }[];
}
