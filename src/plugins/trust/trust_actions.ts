import { type Clock, DaemonError, logger, pause, type Random } from "../../core/mod.ts";
import { nodeNumber } from "../address.ts";
import type { Daemon } from "../plugin.ts";
import { rawPublicKey } from "../signing.ts";
import { type HandshakeMessage, type MessageContent, signMessage } from "./messages.ts";
import { COOL_DOWN_MS, MAX_TRUSTED, type TrustBook } from "./trust_book.ts";

/** What {@link TrustActions} uses. */
export interface TrustActionsComponents {
  readonly daemon: Daemon;
  readonly book: TrustBook;
  readonly clock: Clock;
  readonly random: Random;
  /** Brings a message to a peer, some time soon. */
  tell(peerId: string, content: MessageContent): void;
}

/** A request, after its signature was checked. */
export interface TrustRequest {
  readonly peerId: string;
  readonly justification: string;
  readonly nonce?: string;
  readonly publicKey?: string;
  /** Host it came from. */
  readonly source: string;
  /** A network whose token the peer proved to know; 0 for none. */
  readonly network?: number;
}

const log = logger("plugins");

/** The table of states of contract 4.4: what each event changes, publishes and answers. */
export class TrustActions {
  readonly #components: TrustActionsComponents;
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(components: TrustActionsComponents) {
    this.#components = components;
  }

  /** Signs a message to a peer; it says which network both may belong to. */
  sign(to: string, content: MessageContent): HandshakeMessage {
    const { daemon, clock, random } = this.#components;
    const networks = daemon.networks();
    const [network] = networks.list().filter(({ id }) => !networks.isMember(id, to));
    const proof = network && content.type !== "handshake_revoke" &&
        content.type !== "handshake_reject"
      ? { id: network.id, prove: (text: string) => networks.prove(network.id, text) }
      : undefined;
    const full = { network: proof, ...content };
    return signMessage(daemon, to, full, clock.now(), random.bytes(16));
  }

  /** A peer asks for trust. */
  async requested(request: TrustRequest): Promise<void> {
    const { book } = this.#components;
    const { peerId, nonce, network = 0 } = request;
    this.#publish("handshake.received", { peerId });
    const state = book.stateOf(peerId);
    if (state === "trusted") return await this.#askedAgain(request);
    const reason = state === "outgoing" ? "mutual" : this.#reasonToApprove(request);
    // After a revocation only a person lets the peer in again.
    if (reason === undefined || state === "revoked") return await this.#keepPending(request);
    await this.#grant(peerId, { network, mutual: state === "outgoing" });
    this.#publish("handshake.auto_approved", { peerId, reason });
    this.#publish("trust.changed", { peerId, granted: true });
    this.#components.tell(peerId, { type: "handshake_accept", inReplyTo: nonce });
  }

  /** A person approves; nothing happens when nobody asked. */
  async approve(peerId: string): Promise<void> {
    const entry = this.#components.book.pending.get(peerId);
    if (!entry) return;
    await this.#grant(peerId, { network: 0, mutual: false });
    this.#publish("handshake.approved", { peerId });
    this.#publish("trust.changed", { peerId, granted: true });
    const inReplyTo = entry.nonce || undefined;
    this.#components.tell(peerId, { type: "handshake_accept", inReplyTo });
  }

  /** A person rejects; nothing happens when nobody asked. */
  async reject(peerId: string, reason: string): Promise<void> {
    const { book } = this.#components;
    const entry = book.pending.get(peerId);
    if (!entry) return;
    await book.change(peerId, () => book.pending.delete(peerId));
    this.#publish("handshake.rejected", { peerId, reason });
    const inReplyTo = entry.nonce || undefined;
    this.#components.tell(peerId, { type: "handshake_reject", reason, inReplyTo });
  }

  /**
   * A person puts a request aside: for so long, or for good. The peer learns nothing of it.
   *
   * @throws {DaemonError} `not_found` if the peer did not ask.
   */
  async putAside(peerId: string, ms: number | undefined): Promise<void> {
    const { book, clock } = this.#components;
    const entry = book.pending.get(peerId);
    if (!entry) {
      throw new DaemonError(
        "not_found",
        `Cannot put a request of peer "${peerId}" aside: it does not ask for trust`,
      );
    }
    const laterUntil = ms === undefined ? "" : new Date(clock.now() + ms).toISOString();
    const aside = { ...entry, laterUntil, ignored: ms === undefined };
    await book.change(peerId, () => book.pending.set(peerId, aside));
    this.#publish("handshake.put_aside", { peerId, until: laterUntil });
  }

  /** A person takes trust back. @throws {DaemonError} `failed_precondition` if there is none. */
  async revoke(peerId: string): Promise<void> {
    const { book, clock } = this.#components;
    if (!book.trusted.has(peerId)) {
      throw new DaemonError(
        "failed_precondition",
        `Cannot revoke trust in peer "${peerId}": it is not trusted`,
      );
    }
    await book.change(peerId, () => {
      book.trusted.delete(peerId);
      book.outgoing.delete(peerId);
      const until = new Date(clock.now() + COOL_DOWN_MS).toISOString();
      book.revoked.set(peerId, { peerId, revokedAt: new Date(clock.now()).toISOString(), until });
    });
    await this.#leaveNetworks(peerId);
    this.#publish("trust.revoked", { peerId });
    this.#publish("trust.changed", { peerId, granted: false });
  }

  /**
   * A peer accepts.
   *
   * @param inReplyTo Nonce of the request that is answered; absent where it tells its state unasked.
   */
  async accepted(
    peerId: string,
    inReplyTo: string | undefined,
    peer: { network?: number; isRelayed?: boolean } = {},
  ): Promise<void> {
    const { book } = this.#components;
    const { network = 0, isRelayed = false } = peer;
    const entry = book.trusted.get(peerId);
    const asked = book.outgoing.get(peerId);
    if (entry) {
      if (!entry.mutual) {
        await book.change(peerId, () => book.trusted.set(peerId, { ...entry, mutual: true }));
      }
      return await this.#joinNetwork(peerId, network);
    }
    if (asked && (inReplyTo === undefined || inReplyTo === asked.nonce)) {
      await this.#grant(peerId, { network, mutual: true });
      this.#publish("trust.changed", { peerId, granted: true });
      // Now the other side knows that its approval was wanted and heard.
      if (inReplyTo !== undefined) this.#components.tell(peerId, { type: "handshake_accept" });
      return;
    }
    const isState = inReplyTo === undefined && !isRelayed && !book.pending.has(peerId) && !asked;
    if (isState) this.#components.tell(peerId, { type: "handshake_revoke" });
  }

  /** A peer declines what we asked. */
  async rejected(peerId: string, inReplyTo: string | undefined): Promise<void> {
    const { book } = this.#components;
    if (book.outgoing.get(peerId)?.nonce !== inReplyTo || inReplyTo === undefined) return;
    await book.change(peerId, () => book.outgoing.delete(peerId));
  }

  /** A peer takes its trust back. */
  async revokedBy(peerId: string, sentAt: number): Promise<void> {
    const { book } = this.#components;
    const since = book.trusted.get(peerId)?.approvedAt ?? book.pending.get(peerId)?.receivedAt;
    // One that was on its way when trust was granted anew is over; stamps are in seconds.
    if (since === undefined || sentAt + 1_000 < Date.parse(since)) return;
    await book.change(peerId, () => {
      book.trusted.delete(peerId);
      book.pending.delete(peerId);
    });
    await this.#leaveNetworks(peerId);
    this.#publish("trust.revoked_by_peer", { peerId });
    this.#publish("trust.changed", { peerId, granted: false });
  }

  /**
   * Tells a trusted peer that it is, and of each network it may not know us in.
   *
   * @param joined A network it just proved to belong to.
   */
  async tellState(peerId: string, joined = 0): Promise<void> {
    const { daemon } = this.#components;
    const networks = daemon.networks();
    const unknown = networks.list().filter(({ id }) =>
      id === joined || !networks.isMember(id, peerId)
    );
    for (const { id } of unknown.slice(0, 8)) {
      const network = { id, prove: (text: string) => networks.prove(id, text) };
      this.#components.tell(peerId, { type: "handshake_accept", network });
    }
    if (unknown.length === 0) this.#components.tell(peerId, { type: "handshake_accept" });
    await Promise.resolve();
  }

  /** Whether a peer becomes trusted in time. */
  async waitFor(peerId: string, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const done = new AbortController();
    const waiters = this.#waiting.get(peerId) ?? new Set();
    const wake = () => done.abort();
    this.#waiting.set(peerId, waiters.add(wake));
    await pause(timeoutMs, AbortSignal.any([done.signal, signal]));
    waiters.delete(wake);
    if (waiters.size === 0) this.#waiting.delete(peerId);
    return this.#components.book.trusted.has(peerId);
  }

  #reasonToApprove({ peerId, network = 0 }: TrustRequest): string | undefined {
    const { daemon } = this.#components;
    if (network !== 0) return "network";
    const allowed = daemon.getTrustChecker()?.isTrusted(peerId);
    if (allowed?.ok) return `allow-list: ${allowed.name}`;
    return daemon.trustAutoApprove() ? "auto-approve" : undefined;
  }

  async #askedAgain({ peerId, nonce, network = 0 }: TrustRequest): Promise<void> {
    const { book, tell } = this.#components;
    const entry = book.trusted.get(peerId);
    // Who asks, trusts: its side was lost or never heard of our approval.
    if (entry && !entry.mutual) {
      await book.change(peerId, () => book.trusted.set(peerId, { ...entry, mutual: true }));
    }
    await this.#joinNetwork(peerId, network);
    tell(peerId, { type: "handshake_accept", inReplyTo: nonce });
  }

  async #keepPending(request: TrustRequest): Promise<void> {
    const { book, clock } = this.#components;
    const { peerId, justification, nonce = "", source } = request;
    const before = book.pending.get(peerId);
    if (!before && !book.hasRoom(source)) {
      log.warn("A request for trust is refused: too many wait", { peerId, source });
      throw new DaemonError("resource_exhausted", "Cannot take the request: too many wait");
    }
    const receivedAt = before?.receivedAt ?? new Date(clock.now()).toISOString();
    const publicKey = keyOf(peerId);
    const entry = { nodeId: nodeNumber(peerId), peerId, publicKey, justification, receivedAt };
    const { ignored = false, laterUntil = "" } = before ?? {};
    const pending = { ...entry, nonce, source, ignored, laterUntil };
    await book.change(peerId, () => book.pending.set(peerId, pending));
    if (!before) this.#publish("handshake.pending", { peerId, justification });
  }

  async #grant(
    peerId: string,
    { network, mutual }: { network: number; mutual: boolean },
  ): Promise<void> {
    const { book, clock, daemon } = this.#components;
    if (book.trusted.size >= MAX_TRUSTED) {
      throw new DaemonError("resource_exhausted", `Cannot trust over ${MAX_TRUSTED} peers`);
    }
    const approvedAt = new Date(clock.now()).toISOString();
    const entry = { nodeId: nodeNumber(peerId), peerId, publicKey: keyOf(peerId), approvedAt };
    await book.change(peerId, () => {
      for (const map of [book.pending, book.outgoing, book.revoked]) map.delete(peerId);
      book.trusted.set(peerId, { ...entry, mutual, network });
    });
    await this.#joinNetwork(peerId, network);
    daemon.tunnels().welcomePeer(peerId);
    for (const wake of this.#waiting.get(peerId) ?? []) wake();
  }

  async #joinNetwork(peerId: string, network: number): Promise<void> {
    const { daemon, book } = this.#components;
    const entry = book.trusted.get(peerId);
    if (network === 0 || !entry) return;
    if (entry.network === 0) {
      await book.change(peerId, () => book.trusted.set(peerId, { ...entry, network }));
    }
    const isNew = !daemon.networks().isMember(network, peerId);
    await daemon.networks().addMember(network, peerId);
    if (isNew) await this.tellState(peerId, network);
  }

  // Members are trusted peers, contract 4.5.
  async #leaveNetworks(peerId: string): Promise<void> {
    const networks = this.#components.daemon.networks();
    for (const { id } of networks.list()) await networks.removeMember(id, peerId);
  }

  #publish(topic: string, payload: Record<string, unknown>): void {
    this.#components.daemon.publishEvent(topic, payload);
  }
}

function keyOf(peerId: string): string {
  return btoa(String.fromCharCode(...rawPublicKey(peerId) ?? []));
}
