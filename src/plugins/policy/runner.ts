import { type Clock, guard, logger, messageOf, type Timer } from "../../core/mod.ts";
import { checkPeerId } from "../peer_names.ts";
import type { Daemon, PeerRef, PolicyEventType, PolicyRunner } from "../plugin.ts";
import type { CompiledPolicy, CompiledRule } from "./document.ts";
import { Effects } from "./effects.ts";
import { EvalBudget, type Variables } from "./expression.ts";
import { Members, type PolicyMember } from "./members.ts";
import { ShadowLog } from "./shadow_log.ts";

/** How often membership is read anew, contract 4.5. */
export const RECONCILE_MS = 5_000;
/** A rule that fails is told at most so often. */
const ERROR_INTERVAL_MS = 1_000;

/** What {@link Runner} uses. */
export interface RunnerComponents {
  readonly daemon: Daemon;
  readonly clock: Clock;
}

/** How {@link Runner} behaves. */
export interface RunnerInit {
  readonly network: number;
  readonly policy: CompiledPolicy;
  /** Denies nothing and does nothing; says what it would have denied. */
  readonly isShadow?: boolean;
}

/** What a gate is asked. */
export interface GateQuestion {
  readonly event: PolicyEventType;
  readonly port: number;
  readonly peerId: string;
  readonly size: number;
  readonly direction: string;
  readonly localTags: readonly string[];
  readonly peerTags: readonly string[];
}

/** How a verdict came about. */
export interface Explanation {
  readonly allowed: boolean;
  /** The rule that decided; empty for the default, `evicted` or a failure. */
  readonly rule: string;
  readonly match: string;
  /** Why, in words. */
  readonly reason: string;
  readonly values: Variables;
}

const log = logger("plugins");

/** The running policy of one network, contract 4.5. */
export class Runner implements PolicyRunner {
  readonly #components: RunnerComponents;
  readonly #init: RunnerInit;
  readonly #members: Members;
  readonly #effects: Effects;
  readonly #timers: Timer[];
  readonly #rulesOf = new Map<PolicyEventType, readonly CompiledRule[]>();
  readonly #errorAt = new Map<string, number>();
  readonly #startedAt: number;
  /** What it would have denied in shadow mode. */
  readonly shadowLog: ShadowLog;
  readonly counts = { allowed: 0, denied: 0, errors: 0 };
  #cycles = 0;

  constructor(components: RunnerComponents, init: RunnerInit) {
    this.#components = components;
    this.#init = init;
    const { daemon, clock } = components;
    const { policy, network } = init;
    this.#startedAt = clock.now();
    this.shadowLog = new ShadowLog(network);
    this.#members = new Members(daemon, network);
    this.#effects = new Effects({
      ...{ daemon, clock, network, policy, members: this.#members },
      variablesOf: (member) => this.#memberVariables(member),
      onError: (rule, error) => this.#failed(rule, error),
    });
    for (const { on } of policy.rules) {
      this.#rulesOf.set(on, policy.rules.filter((rule) => rule.on === on));
    }
    this.#members.reconcile(clock.now());
    const every = (ms: number, what: string, work: () => unknown) =>
      clock.every(Math.min(ms, 2 ** 31 - 1), () => guard(what, work));
    this.#timers = [
      every(RECONCILE_MS, "reconcile a network", () => this.reconcileNow()),
      every(policy.cycleS * 1_000, "run a policy cycle", () => this.forceCycle()),
    ];
  }

  /** Whether it only says what it would have denied. */
  get isShadow(): boolean {
    return this.#init.isShadow ?? false;
  }

  networkID(): number {
    return this.#init.network;
  }

  hasMember(peer: PeerRef): boolean {
    return typeof peer === "string" && this.#members.has(peer);
  }

  evaluatePortGate(
    event: PolicyEventType,
    port: number,
    peer: PeerRef,
    payloadSize: number,
    direction: string,
    localTags: readonly string[],
    nodeInfoTags: readonly string[],
  ): boolean {
    const peerId = String(peer);
    const question = {
      ...{ event, port, peerId, direction, localTags },
      ...{ size: payloadSize, peerTags: nodeInfoTags },
    };
    const { allowed, rule, reason } = this.#decide(question, true);
    this.counts[allowed ? "allowed" : "denied"]++;
    if (allowed || !this.isShadow) return allowed;
    const network = this.#init.network;
    this.shadowLog.note({ event, port, peerId, rule, reason }, this.#components.clock.now());
    log.info("A policy in shadow mode would deny", { network, event, port, peerId, rule, reason });
    this.#components.daemon.publishEvent("policy.shadow_denied", {
      ...{ network, event, port, peerId, rule },
    });
    return true;
  }

  /** How a verdict would come about now; nothing else happens. */
  explain(question: GateQuestion): Explanation {
    return this.#decide(question, false);
  }

  evaluateActions(event: PolicyEventType, context: Readonly<Record<string, unknown>>): void {
    const peerId = typeof context["peer_id"] === "string" ? context["peer_id"] : undefined;
    const variables = { ...this.#variables(peerId), ...context } as Variables;
    const budget = new EvalBudget();
    for (const rule of this.#rulesOf.get(event) ?? []) {
      try {
        if (!rule.condition(variables, budget) || this.isShadow) continue;
        for (const action of rule.actions) this.#effects.run(rule, action, { peerId, budget });
      } catch (error) {
        this.#failed(rule.name, error);
      }
    }
  }

  status(): Readonly<Record<string, unknown>> {
    const { policy, network } = this.#init;
    return {
      network,
      mode: this.isShadow ? "shadow" : "active",
      rules: policy.rules.length,
      members: this.#members.size,
      cycles: this.#cycles,
      cycle_s: policy.cycleS,
      started_at: new Date(this.#startedAt).toISOString(),
      ...this.counts,
    };
  }

  peerList(): readonly Readonly<Record<string, unknown>>[] {
    return this.#members.list().map((member) => ({
      ...this.#memberVariables(member),
      is_evicted: this.#effects.isOut(member.peerId),
    }));
  }

  forceCycle(): Readonly<Record<string, unknown>> {
    this.reconcileNow();
    this.#cycles++;
    const trusted = this.#components.daemon.trustedPeers();
    const variables = {
      peer_count: this.#members.size,
      cycle_num: this.#cycles,
      trusted_count: trusted.filter(({ peerId }) => this.#members.has(peerId)).length,
    };
    this.evaluateActions("cycle", variables);
    if (!this.isShadow) this.#effects.enforceLimit();
    return variables;
  }

  reconcileNow(): void {
    const { joined, left } = this.#members.reconcile(this.#components.clock.now());
    for (const peer_id of joined) this.evaluateActions("join", { peer_id });
    for (const peer_id of left) this.evaluateActions("leave", { peer_id });
  }

  policyJSON(): string {
    return this.#init.policy.json;
  }

  stop(): void {
    for (const timer of this.#timers.splice(0)) timer.cancel();
    this.#effects.stop();
  }

  #decide(question: GateQuestion, hasEffects: boolean): Explanation {
    const { policy } = this.#init;
    const values = this.#gateVariables(question);
    const verdict = (allowed: boolean, rule: string, match: string, reason: string) => ({
      ...{ allowed, rule, match, reason, values },
    });
    if (this.#effects.isOut(question.peerId)) return verdict(false, "", "", "evicted a moment ago");
    const budget = new EvalBudget();
    for (const rule of this.#rulesOf.get(question.event) ?? []) {
      try {
        if (!rule.condition(values, budget)) continue;
      } catch (error) {
        if (hasEffects) this.#failed(rule.name, error);
        if (!policy.failClosed) continue;
        return verdict(false, rule.name, rule.match, `fail_closed: ${messageOf(error)}`);
      }
      for (const action of rule.actions) {
        if (action.type === "allow" || action.type === "deny") {
          return verdict(action.type === "allow", rule.name, rule.match, "the rule matches");
        }
        if (!hasEffects || this.isShadow) continue;
        this.#effects.run(rule, action, { peerId: question.peerId, budget });
      }
    }
    return verdict(policy.defaultAllows, "", "", "no rule decides; the default holds");
  }

  #gateVariables({ event, port, peerId, size, direction, ...tags }: GateQuestion): Variables {
    return {
      local_tags: tags.localTags,
      peer_id: peerId,
      port,
      network_id: this.#init.network,
      peer_tags: tags.peerTags,
      peer_age_s: this.#members.ageOf(peerId, this.#components.clock.now()),
      members: this.#members.size,
      ...event === "datagram" ? { size, direction } : {},
    };
  }

  #variables(peerId: string | undefined): Record<string, unknown> {
    const { daemon, clock } = this.#components;
    const { network } = this.#init;
    return {
      local_tags: daemon.networks().tagsOf(network, daemon.peerId()),
      network_id: network,
      members: this.#members.size,
      ...peerId === undefined ? {} : {
        peer_id: peerId,
        peer_tags: this.#members.tagsOf(peerId),
        peer_age_s: this.#members.ageOf(peerId, clock.now()),
      },
    };
  }

  #memberVariables({ peerId, lastSeen }: PolicyMember): Variables {
    return {
      peer_id: checkPeerId(peerId),
      peer_tags: this.#members.tagsOf(peerId),
      peer_age_s: this.#members.ageOf(peerId, this.#components.clock.now()),
      last_seen: Math.floor(lastSeen / 1_000),
    };
  }

  #failed(rule: string, error: unknown): void {
    this.counts.errors++;
    const now = this.#components.clock.monotonic();
    if (now - (this.#errorAt.get(rule) ?? -Infinity) < ERROR_INTERVAL_MS) return;
    this.#errorAt.set(rule, now);
    const { network } = this.#init;
    log.warn("A policy's rule failed", { network, rule, error });
    this.#components.daemon.publishEvent("policy.eval_error", {
      ...{ network, rule, error: messageOf(error) },
    });
  }
}
