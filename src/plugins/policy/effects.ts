import { type Clock, logger, type Timer } from "../../core/mod.ts";
import type { Daemon } from "../plugin.ts";
import type { CompiledPolicy, CompiledRule, PolicyAction } from "./document.ts";
import type { EvalBudget, Variables } from "./expression.ts";
import type { Members, PolicyMember } from "./members.ts";

/** How long an evicted peer stays out, contract 4.5. */
export const EVICTION_MS = 60_000;

/** What {@link Effects} uses. */
export interface EffectsComponents {
  readonly daemon: Daemon;
  readonly clock: Clock;
  readonly members: Members;
  readonly network: number;
  readonly policy: CompiledPolicy;
  /** Variables about one member. */
  variablesOf(member: PolicyMember): Variables;
  /** Told when an expression fails. */
  onError(rule: string, error: unknown): void;
}

const log = logger("plugins");

/** What rules do besides giving a verdict. */
export class Effects {
  readonly #components: EffectsComponents;
  readonly #evicted = new Map<string, Timer>();

  constructor(components: EffectsComponents) {
    this.#components = components;
  }

  /** Whether the peer was evicted a moment ago. */
  isOut(peerId: string): boolean {
    return this.#evicted.has(peerId);
  }

  /** Lets everybody in again. */
  stop(): void {
    for (const peerId of this.#evicted.keys()) this.#readmit(peerId);
  }

  /** Does what a rule says. @param peerId The peer it is about, if it is about one. */
  run(
    rule: CompiledRule,
    action: PolicyAction,
    { peerId, budget }: { readonly peerId: string | undefined; readonly budget: EvalBudget },
  ): void {
    const { daemon, network, members } = this.#components;
    switch (action.type) {
      case "evict":
        return peerId === undefined ? undefined : this.#evict(peerId, rule);
      case "tag":
        return peerId === undefined ? undefined : this.#tag(peerId, action.params);
      case "evict_where":
        return this.#evictWhere(rule, action.params.match, budget);
      case "prune":
        return this.#longestUnseen().slice(0, action.params.count)
          .forEach((member) => this.#evict(member.peerId, rule));
      case "fill":
        return this.#fill(action.params.count);
      case "prune_trust":
        return this.#pruneTrust(action.params);
      case "fill_trust":
        return this.#fillTrust(action.params.target);
      case "webhook":
        return daemon.publishEvent("policy.webhook", {
          ...{ network, rule: rule.name, event: action.params.event },
          ...peerId === undefined ? {} : { peerId },
          members: members.size,
        });
      case "log":
        return log.info("A policy notes", {
          ...{ network, rule: rule.name, note: action.params.message, peerId },
        });
    }
  }

  /** Keeps the number of members within the policy's limit. */
  enforceLimit(): void {
    const surplus = this.#components.members.size - this.#components.policy.maxPeers;
    if (surplus <= 0) return;
    for (const { peerId } of this.#longestUnseen().slice(0, surplus)) this.#evict(peerId);
  }

  #evict(peerId: string, rule?: CompiledRule): void {
    const { daemon, clock, network } = this.#components;
    if (this.#evicted.has(peerId) || peerId === daemon.peerId()) return;
    this.#evicted.set(peerId, clock.after(EVICTION_MS, () => this.#readmit(peerId)));
    daemon.background("evict a peer", () => daemon.tunnels().removePeer(peerId));
    daemon.publishEvent("policy.evicted", { network, peerId, rule: rule?.name ?? "max_peers" });
  }

  #readmit(peerId: string): void {
    this.#evicted.get(peerId)?.cancel();
    this.#evicted.delete(peerId);
    this.#components.daemon.tunnels().welcomePeer(peerId);
  }

  #tag(peerId: string, { add = [], remove = [] }: {
    add?: readonly string[] | undefined;
    remove?: readonly string[] | undefined;
  }): void {
    const { daemon, network, members } = this.#components;
    if (!daemon.networks().isMember(network, peerId)) return;
    const before = members.tagsOf(peerId);
    const tags = [...new Set([...before, ...add])].filter((tag) => !remove.includes(tag));
    if (tags.length === before.length && tags.every((tag) => before.includes(tag))) return;
    daemon.background("tag a peer", () => daemon.networks().setTags(network, peerId, tags));
  }

  #evictWhere(rule: CompiledRule, match: string, budget: EvalBudget): void {
    const { members, onError, variablesOf } = this.#components;
    const condition = rule.conditions.get(match);
    for (const member of members.list()) {
      try {
        if (condition?.(variablesOf(member), budget)) this.#evict(member.peerId, rule);
      } catch (error) {
        onError(rule.name, error);
      }
    }
  }

  #fill(count: number): void {
    const { daemon, members } = this.#components;
    const connected = new Set(
      daemon.peers().filter(({ isConnected }) => isConnected).map(({ peerId }) => peerId),
    );
    const away = members.list().filter(({ peerId }) =>
      !connected.has(peerId) && !this.isOut(peerId)
    );
    for (const { peerId } of away.slice(0, count)) {
      daemon.background("connect to a member", async () => {
        const signal = AbortSignal.timeout(10_000);
        const connect = daemon.streams().open(peerId, "/ipfs/ping/1.0.0", { signal });
        // A member that is not there is no mistake.
        await connect.then((c) => daemon.closeConnection(c), () => undefined);
      });
    }
  }

  #pruneTrust({ percent, min }: { percent: number; min: number }): void {
    const { daemon, members } = this.#components;
    const trusted = this.#longestUnseen().filter(({ peerId }) =>
      daemon.handshakeService()?.isTrusted(peerId)
    );
    const share = Math.floor(trusted.length * percent / 100);
    const count = Math.min(share, Math.max(0, trusted.length - min), members.size);
    for (const { peerId } of trusted.slice(0, count)) {
      daemon.background("prune trust", () => daemon.handshakeRevokeTrust(peerId));
    }
  }

  #fillTrust(target: number): void {
    const { daemon } = this.#components;
    const missing = target - daemon.trustedPeers().length;
    if (missing <= 0) return;
    const strangers = daemon.peers().filter(({ peerId, isConnected }) =>
      isConnected && !daemon.handshakeService()?.isTrusted(peerId)
    );
    for (const { peerId } of strangers.slice(0, missing)) {
      daemon.background(
        "ask for trust",
        () => daemon.handshakeSendRequest(peerId, "asked by policy").catch(() => undefined),
      );
    }
  }

  // Members in their time of grace are left alone.
  #longestUnseen(): PolicyMember[] {
    const { members, clock, policy } = this.#components;
    const now = clock.now();
    return members.list()
      .filter(({ since, peerId }) => now - since >= policy.graceS * 1_000 && !this.isOut(peerId))
      .sort((a, b) => a.lastSeen - b.lastSeen);
  }
}
