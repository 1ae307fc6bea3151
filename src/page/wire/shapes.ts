/** Answers as the page reads them. Fields that an older daemon lacks may be missing. */
import type { OutputOf } from "../../client/mod.ts";

/** A peer as `network.peers` tells it. */
export type Peer = OutputOf<"query", "network.peers">["peers"][number] & {
  readonly direction?: "in" | "out";
  readonly is_relayed?: boolean;
  readonly latency_ms?: number;
  readonly in_bytes_per_second?: number;
  readonly out_bytes_per_second?: number;
  readonly connected_at_ms?: number;
  readonly country_code?: string;
  readonly name?: string;
};

/** A request as `trust.pending` tells it. */
export type TrustRequest = OutputOf<"query", "trust.pending">["requests"][number] & {
  readonly name?: string;
  readonly fingerprint?: string;
};

/** What was tried to reach a peer, by `network.why`. */
export interface Attempt {
  readonly time_ms: number;
  readonly address: string;
  readonly outcome: string;
  readonly reason: string;
  readonly duration_ms?: number;
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
  readonly last_delivery_ms?: number;
  readonly last_error?: string;
  readonly last_error_ms?: number;
}

/** A running policy. */
export type Policy = Readonly<Record<string, unknown>>;

/** One verdict of a shadow policy. */
export interface ShadowVerdict {
  readonly time_ms: number;
  readonly network: number;
  readonly event: string;
  readonly peer_id: string;
  readonly port: number;
  readonly allowed: boolean;
  readonly rule: string;
  readonly reason: string;
}
