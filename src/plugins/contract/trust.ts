/** Trust between peers, contract 4.4. */
import type { PeerRef } from "./peers.ts";

/** Decides who is trusted without being asked. */
export interface TrustChecker {
  isTrusted(peer: PeerRef): { readonly name: string; readonly ok: boolean };
}

/** A peer this daemon trusts. */
export interface HandshakeTrustRecord {
  readonly nodeId: number;
  readonly peerId: string;
  /** Base64 of 32 bytes. */
  readonly publicKey: string;
  /** RFC 3339, UTC. */
  readonly approvedAt: string;
  /** Whether the peer trusts this daemon too, as far as it said. */
  readonly mutual: boolean;
  /** The network both belong to; 0 for none. */
  readonly network: number;
}

/** A peer that asks for trust. */
export interface HandshakePendingRecord {
  readonly nodeId: number;
  readonly peerId: string;
  readonly publicKey: string;
  readonly justification: string;
  /** RFC 3339, UTC. */
  readonly receivedAt: string;
  /** Whether nobody wants to see it; the peer learns nothing of that. */
  readonly isIgnored?: boolean;
  /** RFC 3339, UTC: not to be shown before; empty for now. */
  readonly laterUntil?: string;
}

/** Trust between peers, contract 4.4. */
export interface HandshakeService {
  isTrusted(peer: PeerRef): boolean;
  trustedPeers(): readonly HandshakeTrustRecord[];
  pendingRequests(): readonly HandshakePendingRecord[];
  pendingCount(): number;
  sendRequest(peer: PeerRef, justification: string): Promise<void>;
  approveHandshake(peer: PeerRef): Promise<void>;
  rejectHandshake(peer: PeerRef, reason: string): Promise<void>;
  /** Puts a request aside for so long, else for good, without an answer; optional. */
  putAside?(peer: PeerRef, ms?: number): Promise<void>;
  /** @throws if the peer is not trusted. */
  revokeTrust(peer: PeerRef): Promise<void>;
  /** True at once for self and trusted peers, else at the transition, or false at the deadline. */
  waitForTrust(peer: PeerRef, timeoutMs: number): Promise<boolean>;
  processRelayedRequest(from: PeerRef, justification: string): Promise<void>;
  processRelayedApproval(from: PeerRef): Promise<void>;
  processRelayedRejection(from: PeerRef): Promise<void>;
  /** Waits for background calls and ends the timers. */
  stop(): Promise<void>;
  /** Peers this daemon asked and that have not answered; optional. */
  outgoingRequests?(): readonly OutgoingRequest[];
}

/** A request of this daemon that is not answered yet. */
export interface OutgoingRequest {
  readonly peerId: string;
  /** RFC 3339, UTC. */
  readonly sentAt: string;
  /** RFC 3339, UTC: when it is given up. */
  readonly until: string;
}
