import { type Clock, DaemonError, logger, type Random } from "../../core/mod.ts";
import type {
  Connection,
  Daemon,
  HandshakePendingRecord,
  HandshakeService,
  HandshakeTrustRecord,
  PeerRef,
} from "../plugin.ts";
import { BackgroundWork } from "./background_work.ts";
import {
  checkAge,
  checkSignature,
  type HandshakeMessage,
  MAX_AGE_MS,
  MAX_RELAYED_AGE_MS,
  type MessageContent,
  messageHash,
  parseMessage,
  printable,
  provenNetwork,
} from "./messages.ts";
import { sendOwnRequest } from "./own_request.ts";
import { ReadingPlaces } from "./reading_places.ts";
import type { Relay } from "./relay.ts";
import { SEEN_MS, SeenMessages } from "./seen_messages.ts";
import { TrustActions } from "./trust_actions.ts";
import type { OutgoingEntry, RevokedEntry, TrustBook, TrustState } from "./trust_book.ts";
import { answer, deliver, SEND_TIMEOUT_MS } from "./wire.ts";

/** How long a revoked peer may take to listen, before its links are cut all the same. */
const REVOKE_TELL_MS = 700;

/** What {@link Handshake} uses. */
export interface HandshakeComponents {
  readonly daemon: Daemon;
  readonly book: TrustBook;
  readonly relay: Relay;
  readonly clock: Clock;
  readonly random: Random;
  /** Finds the peer id behind a number, address or peer id. */
  resolve(peer: PeerRef): string;
}

const log = logger("plugins");

/** The trust handshake of contract 4.4: asks, answers, revokes, and remembers. */
export class Handshake implements HandshakeService {
  readonly #components: HandshakeComponents;
  readonly #actions: TrustActions;
  readonly #seen = new SeenMessages();
  readonly #background = new BackgroundWork();
  readonly #places = new ReadingPlaces();

  constructor(components: HandshakeComponents) {
    this.#components = components;
    this.#actions = new TrustActions({
      ...components,
      tell: (peerId, content) =>
        this.#background.run("answer a peer", () => this.tell(peerId, content)),
    });
  }

  isTrusted(peer: PeerRef): boolean {
    const peerId = this.#components.resolve(peer);
    return peerId === this.#components.daemon.peerId() || this.#book.trusted.has(peerId);
  }

  trustedPeers(): readonly HandshakeTrustRecord[] {
    return [...this.#book.trusted.values()].map((entry) => Object.freeze({ ...entry }));
  }

  pendingRequests(): readonly HandshakePendingRecord[] {
    return [...this.#book.pending.values()].map((entry) => {
      const { nonce: _, source: __, ignored: isIgnored, ...shown } = entry;
      return Object.freeze({ ...shown, isIgnored });
    });
  }

  pendingCount(): number {
    return this.#book.pending.size;
  }

  /** Peers this daemon asked. */
  outgoingRequests(): readonly OutgoingEntry[] {
    return [...this.#book.outgoing.values()];
  }

  /** Peers that cannot come back by an old approval. */
  revokedPeers(): readonly RevokedEntry[] {
    return [...this.#book.revoked.values()];
  }

  /** Where trust with the peer stands. */
  stateOf(peer: PeerRef): TrustState {
    return this.#book.stateOf(this.#components.resolve(peer));
  }

  /**
   * Asks a peer for trust; who asked us already is approved by that.
   *
   * @throws {DaemonError} `unavailable` if neither the peer nor a relay takes the request,
   *   `resource_exhausted` while too many wait for an answer.
   */
  async sendRequest(peer: PeerRef, justification: string): Promise<void> {
    const peerId = this.#other(peer, "ask");
    if (this.#book.stateOf(peerId) === "pending") return await this.approveHandshake(peerId);
    this.#components.daemon.tunnels().welcomePeer(peerId);
    const message = this.#actions.sign(peerId, { type: "handshake_request", justification });
    const { nonce } = message;
    const send = () => this.#deliver(peerId, message);
    await sendOwnRequest(this.#components, { peerId, nonce }, send);
  }

  async approveHandshake(peer: PeerRef): Promise<void> {
    await this.#actions.approve(this.#components.resolve(peer));
  }

  async rejectHandshake(peer: PeerRef, reason: string): Promise<void> {
    await this.#actions.reject(this.#components.resolve(peer), printable(reason));
  }

  async putAside(peer: PeerRef, ms?: number): Promise<void> {
    await this.#actions.putAside(this.#components.resolve(peer), ms);
  }

  async revokeTrust(peer: PeerRef): Promise<void> {
    const peerId = this.#components.resolve(peer);
    const told = Promise.withResolvers<void>();
    await this.#actions.revoke(peerId);
    this.#background.run("tell a peer that it is no longer trusted", async () => {
      try {
        await this.tell(peerId, { type: "handshake_revoke" }, REVOKE_TELL_MS);
      } finally {
        told.resolve();
      }
    });
    const late = this.#components.clock.after(REVOKE_TELL_MS, told.resolve);
    await told.promise;
    late.cancel();
    await this.#components.daemon.tunnels().removePeer(peerId);
  }

  async waitForTrust(peer: PeerRef, timeoutMs: number): Promise<boolean> {
    const peerId = this.#components.resolve(peer);
    if (this.isTrusted(peerId)) return true;
    return await this.#actions.waitFor(peerId, timeoutMs, this.#background.signal);
  }

  async processRelayedRequest(from: PeerRef, justification: string): Promise<void> {
    const peerId = this.#other(from, "take a request of");
    await this.#actions.requested({ peerId, justification: printable(justification), source: "" });
  }

  async processRelayedApproval(from: PeerRef): Promise<void> {
    const peerId = this.#other(from, "take an approval of");
    const nonce = this.#book.outgoing.get(peerId)?.nonce;
    if (nonce !== undefined) await this.#actions.accepted(peerId, nonce);
  }

  async processRelayedRejection(from: PeerRef): Promise<void> {
    const peerId = this.#other(from, "take a rejection of");
    const nonce = this.#book.outgoing.get(peerId)?.nonce;
    if (nonce !== undefined) await this.#actions.rejected(peerId, nonce);
  }

  /** Waits for background calls; nothing waits for trust any more. */
  async stop(): Promise<void> {
    await this.#background.stop();
    await this.#book.settled();
  }

  /** Reads one message from a connection to the handshake's port. */
  async serve(connection: Connection): Promise<void> {
    const { daemon } = this.#components;
    const { remotePeer, remoteHost } = connection.info();
    const isKnown = this.#isKnown(remotePeer);
    const leave = this.#places.take({ peerId: remotePeer, host: remoteHost, isKnown });
    if (!leave) return daemon.closeConnection(connection);
    try {
      await answer(
        daemon,
        connection,
        (bytes) => this.receive(parseMessage(bytes), remotePeer, remoteHost),
      );
    } finally {
      leave();
    }
  }

  /**
   * Takes a message.
   *
   * @param from Peer id that the link proved, or that a relay claims; the signature must agree.
   * @param source Host that is held to account for it.
   * @throws {DaemonError} if it is refused.
   */
  async receive(
    message: HandshakeMessage,
    from: string,
    source: string,
    isRelayed = false,
  ): Promise<void> {
    const { daemon, clock } = this.#components;
    const now = clock.now();
    checkAge(message, now, isRelayed ? MAX_RELAYED_AGE_MS : MAX_AGE_MS);
    const keepMs = isRelayed ? MAX_RELAYED_AGE_MS : SEEN_MS;
    // What is not signed by whom it claims to be from must not use up that peer's share.
    if (isRelayed) checkSignature(daemon, message, from);
    const isKnown = this.#isKnown(from);
    this.#seen.add(messageHash(message, from), from, now, { keepMs, isKnown });
    checkSignature(daemon, message, from);
    const network = provenNetwork(daemon, message, from);
    const peer = { peerId: from, publicKey: message.public_key, source, network };
    const actions = this.#actions;
    if (message.type === "handshake_request") {
      const { justification, nonce } = message;
      await actions.requested({ ...peer, justification: printable(justification), nonce });
    } else if (message.type === "handshake_accept") {
      await actions.accepted(from, message.in_reply_to, { ...peer, isRelayed });
    } else if (message.type === "handshake_reject") {
      await actions.rejected(from, message.in_reply_to);
    } else {
      await actions.revokedBy(from, message.timestamp * 1_000);
    }
  }

  /** A link to a trusted peer opened: says so, and fetches what it keeps for us. */
  linkOpened(peerId: string): void {
    const entry = this.#book.trusted.get(peerId);
    if (!entry) return;
    this.#background.run("exchange trust with a peer", async () => {
      if (entry.mutual) await this.#actions.tellState(peerId);
    });
    this.poll(peerId);
  }

  /** Fetches what a trusted peer keeps for us. */
  poll(relay: string): void {
    this.#background.run(
      "fetch relayed messages",
      () =>
        this.#components.relay.poll(relay, async (from, text) => {
          try {
            const message = parseMessage(new TextEncoder().encode(text));
            await this.receive(message, from, relay, true);
          } catch (error) {
            log.debug("A relayed message was refused", { from, relay, error });
          }
        }),
    );
  }

  /** Tells every connected trusted peer which networks we belong to now. */
  announceNetworks(): void {
    for (const { peerId, isConnected } of this.#components.daemon.peers()) {
      if (!isConnected || !this.#book.trusted.has(peerId)) continue;
      this.#background.run("tell a peer of a network", () => this.#actions.tellState(peerId));
    }
  }

  /** Forgets what is over. */
  reap(): void {
    this.#book.reap(this.#components.clock.now());
    this.#seen.reap(this.#components.clock.now());
  }

  /** Signs a message and brings it to a peer, by a relay if it is not there. */
  async tell(peerId: string, content: MessageContent, timeoutMs = SEND_TIMEOUT_MS): Promise<void> {
    await this.#deliver(peerId, this.#actions.sign(peerId, content), timeoutMs);
  }

  #isKnown(peerId: string): boolean {
    return this.#book.trusted.has(peerId) || this.#book.outgoing.has(peerId);
  }

  get #book(): TrustBook {
    return this.#components.book;
  }

  async #deliver(
    peerId: string,
    message: HandshakeMessage,
    timeoutMs = SEND_TIMEOUT_MS,
  ): Promise<"direct" | "relayed"> {
    const { daemon, relay } = this.#components;
    const signal = AbortSignal.any([this.#background.signal, AbortSignal.timeout(timeoutMs)]);
    return await deliver({ daemon, relay }, peerId, JSON.stringify(message), { timeoutMs, signal });
  }

  #other(peer: PeerRef, what: string): string {
    const peerId = this.#components.resolve(peer);
    if (peerId !== this.#components.daemon.peerId()) return peerId;
    throw new DaemonError(
      "invalid_argument",
      `Cannot ${what} "${peerId}": it is this daemon itself`,
    );
  }
}
