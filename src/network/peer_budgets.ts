import { logger } from "../core/mod.ts";

/** Peers remembered; one that was forgotten begins anew. */
const MAX_PEERS = 4_096;
/** Between two log lines about one peer. */
const LOG_INTERVAL_MS = 60_000;

/** So much a second, and so much at once. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** How {@link PeerBudgets} behaves. */
export interface PeerBudgetsInit {
  /** What is asked of us, for the log. */
  readonly what: string;
  /** Things to be done. */
  readonly units: Rate;
  readonly bytes: Rate;
}

interface Account {
  units: number;
  bytes: number;
  /** When it was looked at last. */
  at: number;
  loggedAt: number;
}

const log = logger("network");

/**
 * What each peer may have us do. A peer that asks for more is told how long it has to wait, and is
 * read no further until then: what honest peers send in a burst is late, not lost.
 */
export class PeerBudgets {
  /** Times that a peer had to wait. */
  slowed = 0;
  readonly #monotonic: () => number;
  readonly #init: PeerBudgetsInit;
  readonly #accounts = new Map<string, Account>();

  constructor({ monotonic }: { monotonic(): number }, init: PeerBudgetsInit) {
    this.#monotonic = monotonic;
    this.#init = init;
  }

  /** Charges a peer. @returns Milliseconds until it may ask for more. */
  charge(peerId: string, units: number, bytes = 0): number {
    const account = this.#account(peerId);
    account.units -= units;
    account.bytes -= bytes;
    const { units: unitRate, bytes: byteRate } = this.#init;
    const debt = Math.max(
      -account.units / unitRate.perSecond,
      -account.bytes / byteRate.perSecond,
    );
    if (debt <= 0) return 0;
    this.slowed++;
    if (account.at - account.loggedAt > LOG_INTERVAL_MS) {
      account.loggedAt = account.at;
      log.warn("A peer asks for too much; it is read more slowly", {
        ...{ peerId, what: this.#init.what },
      });
    }
    return Math.ceil(debt * 1_000);
  }

  #account(peerId: string): Account {
    const { units, bytes } = this.#init;
    const at = this.#monotonic();
    const known = this.#accounts.get(peerId);
    if (known) {
      const seconds = (at - known.at) / 1_000;
      known.units = Math.min(units.burst, known.units + seconds * units.perSecond);
      known.bytes = Math.min(bytes.burst, known.bytes + seconds * bytes.perSecond);
      known.at = at;
      return known;
    }
    const fresh = { units: units.burst, bytes: bytes.burst, at, loggedAt: -Infinity };
    this.#accounts.set(peerId, fresh);
    const [oldest] = this.#accounts.keys();
    if (this.#accounts.size > MAX_PEERS && oldest !== undefined) this.#accounts.delete(oldest);
    return fresh;
  }
}
