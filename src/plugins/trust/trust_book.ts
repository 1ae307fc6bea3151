import * as z from "zod";
import { DaemonError, logger, once } from "../../core/mod.ts";
import type { JsonStore } from "../json_store.ts";
import { checkPeerId } from "../peer_names.ts";

/** Requests that wait for a person, contract 4.4. */
export const MAX_PENDING = 256;
/** Of these, from one host. */
export const MAX_PENDING_PER_SOURCE = 16;
/** How long a request waits for a person, contract 4.4. */
export const PENDING_MS = 30 * 24 * 3_600_000;
/** How long an own request waits for its answer, contract 4.4. */
export const OUTGOING_MS = 10 * 60_000;
/** The same where it travels by a relay, which keeps it that long. */
export const RELAYED_OUTGOING_MS = 24 * 3_600_000;
/** How long a revoked peer cannot come back by an old approval, contract 4.4. */
export const COOL_DOWN_MS = 5 * 60_000;
/** Most trusted peers. */
export const MAX_TRUSTED = 4_096;
/** Own requests under way. */
export const MAX_OUTGOING = 1_024;

const Id = once(() => z.string().refine(isPeerId, { error: "no peer id" }));
const Time = once(() => z.iso.datetime());
const Trusted = once(() =>
  z.object({
    peerId: Id(),
    nodeId: z.int().default(0),
    publicKey: z.string().default(""),
    approvedAt: Time(),
    mutual: z.boolean().default(false),
    network: z.int().default(0),
  })
);
const Pending = once(() =>
  z.object({
    peerId: Id(),
    nodeId: z.int().default(0),
    publicKey: z.string().default(""),
    justification: z.string().max(4_096).default(""),
    receivedAt: Time(),
    nonce: z.string().default(""),
    source: z.string().default(""),
    ignored: z.boolean().default(false),
    laterUntil: z.string().default(""),
  })
);
const Revoked = once(() => z.object({ peerId: Id(), revokedAt: Time(), until: Time() }));
const Outgoing = once(() =>
  z.object({ peerId: Id(), nonce: z.string(), sentAt: Time(), until: Time() })
);
const Lists = { trusted: Trusted, pending: Pending, revoked: Revoked, outgoing: Outgoing } as const;

/** A peer this daemon trusts. */
export type TrustedEntry = Readonly<z.output<ReturnType<typeof Trusted>>>;
/** A peer that asks. */
export type PendingEntry = Readonly<z.output<ReturnType<typeof Pending>>>;
/** A peer that was trusted, and cannot come back by an old approval. */
export type RevokedEntry = Readonly<z.output<ReturnType<typeof Revoked>>>;
/** A peer this daemon asked. */
export type OutgoingEntry = Readonly<z.output<ReturnType<typeof Outgoing>>>;

/** Where trust between this daemon and a peer stands, contract 4.4. */
export type TrustState = "none" | "outgoing" | "pending" | "trusted" | "revoked";

const log = logger("plugins");

/** trust.json: who is trusted, who asks, who was asked, who was revoked. */
export class TrustBook {
  readonly trusted = new Map<string, TrustedEntry>();
  readonly pending = new Map<string, PendingEntry>();
  readonly revoked = new Map<string, RevokedEntry>();
  readonly outgoing = new Map<string, OutgoingEntry>();
  readonly #store: JsonStore;

  constructor(store: JsonStore) {
    this.#store = store;
  }

  /**
   * Reads the file; a bad entry is passed over with a warning.
   *
   * @throws {DaemonError} `data_loss` if it is no such file at all.
   */
  async load(): Promise<void> {
    const json = await this.#store.read();
    if (json === undefined) return;
    const lists = z.record(z.string(), z.unknown()).safeParse(json).data;
    if (!lists || !Array.isArray(lists["trusted"])) {
      const path = this.#store.path;
      throw new DaemonError(
        "data_loss",
        `Cannot read ${path}: it holds no list "trusted"; put back a copy, or move the file away ` +
          "to begin without trust",
      );
    }
    for (const [name, schema] of Object.entries(Lists)) {
      const items: unknown = lists[name];
      if (!Array.isArray(items)) continue;
      for (const item of items) this.#add(name as keyof typeof Lists, schema(), item);
    }
  }

  /** Where trust with the peer stands. */
  stateOf(peerId: string): TrustState {
    if (this.trusted.has(peerId)) return "trusted";
    if (this.outgoing.has(peerId)) return "outgoing";
    if (this.pending.has(peerId)) return "pending";
    return this.revoked.has(peerId) ? "revoked" : "none";
  }

  /**
   * Changes what concerns one peer, and keeps it; on failure nothing has changed.
   *
   * @throws {DaemonError} if it cannot be written.
   */
  async change(peerId: string, change: (book: TrustBook) => void): Promise<void> {
    const maps = [this.trusted, this.pending, this.revoked, this.outgoing] as Map<
      string,
      unknown
    >[];
    const values = () => maps.map((map) => map.get(peerId));
    const before = values();
    change(this);
    const after = values();
    try {
      await this.#store.save(() => this.#snapshot());
    } catch (failure) {
      maps.forEach((map, index) => {
        if (map.get(peerId) !== after[index]) return; // somebody else's change stands
        if (before[index] === undefined) map.delete(peerId);
        else map.set(peerId, before[index]);
      });
      throw failure;
    }
  }

  /** Whether one more request from the host may wait. */
  hasRoom(source: string): boolean {
    if (this.pending.size >= MAX_PENDING) return false;
    let count = 0;
    for (const entry of this.pending.values()) if (entry.source === source) count++;
    return count < MAX_PENDING_PER_SOURCE;
  }

  /** Forgets what is over; written with the next change. */
  reap(now: number): void {
    for (const [peerId, { receivedAt }] of this.pending) {
      if (Date.parse(receivedAt) + PENDING_MS <= now) this.pending.delete(peerId);
    }
    for (const map of [this.revoked, this.outgoing] as Map<string, { until: string }>[]) {
      for (const [peerId, { until }] of map) if (Date.parse(until) <= now) map.delete(peerId);
    }
  }

  /** Waits for writes under way. */
  settled(): Promise<void> {
    return this.#store.settled();
  }

  #add(name: keyof typeof Lists, schema: z.ZodType, item: unknown): void {
    const checked = schema.safeParse(item);
    if (checked.success) {
      const entry = checked.data as { peerId: string };
      return void (this[name] as Map<string, unknown>).set(entry.peerId, entry);
    }
    const reason = z.prettifyError(checked.error);
    log.warn("An entry of the trust file is passed over", { list: name, reason });
  }

  #snapshot(): Record<string, unknown> {
    const outgoing = [...this.outgoing.values()];
    return {
      trusted: [...this.trusted.values()],
      pending: [...this.pending.values()],
      revoked: [...this.revoked.values()],
      ...outgoing.length > 0 ? { outgoing } : {},
    };
  }
}

function isPeerId(text: string): boolean {
  try {
    return checkPeerId(text) === text;
  } catch {
    return false;
  }
}
