/** Policies, contract 4.5. */
import type { PeerRef } from "./peers.ts";

/** What a policy is asked about. */
export type PolicyEventType = "connect" | "dial" | "datagram" | "join" | "leave" | "cycle";

/** The policies of all networks, contract 4.5. */
export interface PolicyManager {
  /** Starts or replaces the policy of a network; a running one stays if the new does not compile. */
  start(network: number, policyJson: string): Promise<PolicyRunner>;
  stop(network: number): Promise<void>;
  get(network: number): PolicyRunner | null;
  all(): readonly PolicyRunner[];
  stopAll(): Promise<void>;
  loadPersisted(): Promise<void>;
  /** Runs a policy that denies nothing and says what it would have denied; optional. */
  startShadow?(network: number, policyJson: string): Promise<PolicyRunner>;
  stopShadow?(network: number): Promise<void>;
  /** What policies in shadow mode would have denied, newest first; optional. */
  shadowVerdicts?(): readonly ShadowVerdict[];
  /** How the verdict of each policy that concerns the peer comes about; optional. */
  explain?(question: PolicyQuestion): readonly PolicyExplanation[];
}

/** What a policy in shadow mode would have denied. */
export interface ShadowVerdict {
  readonly network: number;
  readonly event: PolicyEventType;
  readonly port: number;
  readonly peerId: string;
  /** The rule that decided; empty for the default. */
  readonly rule: string;
  readonly reason: string;
  /** RFC 3339, UTC: the last time. */
  readonly time: string;
  /** How often. */
  readonly count: number;
}

/** What may be explained. */
export interface PolicyQuestion {
  readonly event: PolicyEventType;
  readonly port: number;
  readonly peerId: string;
  readonly size: number;
  readonly direction: string;
}

/** How a verdict came about. */
export interface PolicyExplanation {
  readonly network: number;
  readonly isShadow: boolean;
  readonly allowed: boolean;
  /** The rule that decided; empty for the default. */
  readonly rule: string;
  /** Its expression. */
  readonly match: string;
  readonly reason: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** The running policy of one network. */
export interface PolicyRunner {
  networkID(): number;
  hasMember(peer: PeerRef): boolean;
  evaluatePortGate(
    event: PolicyEventType,
    port: number,
    peer: PeerRef,
    payloadSize: number,
    direction: string,
    localTags: readonly string[],
    nodeInfoTags: readonly string[],
  ): boolean;
  evaluateActions(event: PolicyEventType, context: Readonly<Record<string, unknown>>): void;
  status(): Readonly<Record<string, unknown>>;
  /** Oldest first. */
  peerList(): readonly Readonly<Record<string, unknown>>[];
  forceCycle(): Readonly<Record<string, unknown>>;
  reconcileNow(): void;
  policyJSON(): string;
  stop(): void;
}
