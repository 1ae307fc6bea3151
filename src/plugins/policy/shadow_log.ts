import type { PolicyEventType, ShadowVerdict } from "../plugin.ts";

/** Different verdicts kept of one policy; the one that was longest ago makes room. */
export const MAX_SHADOW_VERDICTS = 64;

/** What a policy in shadow mode would have denied. */
export interface Denied {
  readonly event: PolicyEventType;
  readonly port: number;
  readonly peerId: string;
  readonly rule: string;
  readonly reason: string;
}

/** The last denials of a policy that denies nothing, equal ones counted as one. */
export class ShadowLog {
  readonly #network: number;
  readonly #verdicts = new Map<string, ShadowVerdict>();

  constructor(network: number) {
    this.#network = network;
  }

  /** Notes one more; `now` in milliseconds since 1970. */
  note(denied: Denied, now: number): void {
    const { event, port, peerId, rule, reason } = denied;
    const key = JSON.stringify([event, port, peerId, rule]);
    const count = (this.#verdicts.get(key)?.count ?? 0) + 1;
    this.#verdicts.delete(key);
    const time = new Date(now).toISOString();
    const fields = { event, port, peerId, rule, reason };
    this.#verdicts.set(key, Object.freeze({ network: this.#network, ...fields, time, count }));
    if (this.#verdicts.size <= MAX_SHADOW_VERDICTS) return;
    const [oldest] = this.#verdicts.keys();
    if (oldest !== undefined) this.#verdicts.delete(oldest);
  }

  /** Newest first. */
  list(): readonly ShadowVerdict[] {
    return [...this.#verdicts.values()].reverse();
  }
}
