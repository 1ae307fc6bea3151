import type { Daemon } from "../plugin.ts";

/** The network of everybody: its policy concerns every peer, member of something or not. */
export const EVERYBODY = 0;

/** A member as a policy sees it. */
export interface PolicyMember {
  readonly peerId: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  lastSeen: number;
}

/** Who belongs to a network, since when, and when last seen. */
export class Members {
  readonly #daemon: Daemon;
  readonly #network: number;
  readonly #entries = new Map<string, PolicyMember>();

  constructor(daemon: Daemon, network: number) {
    this.#daemon = daemon;
    this.#network = network;
  }

  /** How many. */
  get size(): number {
    return this.#entries.size;
  }

  /** Whether the policy concerns the peer. */
  has(peerId: string): boolean {
    return this.#network === EVERYBODY || this.#daemon.networks().isMember(this.#network, peerId);
  }

  /** Seconds since the peer became a member; 0 for who is none. */
  ageOf(peerId: string, now: number): number {
    const since = this.#entries.get(peerId)?.since;
    return since === undefined ? 0 : Math.max(0, (now - since) / 1_000);
  }

  /** Oldest first. */
  list(): PolicyMember[] {
    return [...this.#entries.values()].sort((a, b) => a.since - b.since);
  }

  tagsOf(peerId: string): readonly string[] {
    return this.#daemon.networks().tagsOf(this.#network, peerId);
  }

  /** Reads the membership anew. @returns Who came and who went. */
  reconcile(now: number): { joined: string[]; left: string[] } {
    const self = this.#daemon.peerId();
    const connected = new Set(
      this.#daemon.peers().filter(({ isConnected }) => isConnected).map(({ peerId }) => peerId),
    );
    const current = new Set(
      this.#network === EVERYBODY ? connected : this.#daemon.networks().list()
        .find(({ id }) => id === this.#network)?.members.map(({ peerId }) => peerId) ?? [],
    );
    current.delete(self);
    const joined = [...current].filter((peerId) => !this.#entries.has(peerId));
    const left = [...this.#entries.keys()].filter((peerId) => !current.has(peerId));
    for (const peerId of left) this.#entries.delete(peerId);
    const approvedAt = joined.length > 0 ? this.#approvals() : undefined;
    for (const peerId of joined) {
      const since = Math.min(now, approvedAt?.get(peerId) ?? now);
      this.#entries.set(peerId, { peerId, since, lastSeen: 0 });
    }
    for (const entry of this.#entries.values()) {
      if (connected.has(entry.peerId)) entry.lastSeen = now;
    }
    return { joined, left };
  }

  #approvals(): Map<string, number> {
    return new Map(
      this.#daemon.trustedPeers().map(({ peerId, approvedAt }) => [peerId, Date.parse(approvedAt)]),
    );
  }
}
