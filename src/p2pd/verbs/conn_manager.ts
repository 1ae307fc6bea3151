/** CONNMANAGER: which connections go first when there are too many. */
import type { Connection, Libp2p } from "@libp2p/interface";
import { guard } from "../../core/mod.ts";
import { type Answer, ok, refusal, required } from "../answer.ts";
import { peerIdOf } from "../peer_ids.ts";
import { CONN_MANAGER, type ConnManagerFields } from "../wire/messages.ts";

/** When connections are closed. */
export interface WaterMarks {
  /** Whether connections are closed at all. */
  readonly isEnabled: boolean;
  /** How many stay. */
  readonly low: number;
  /** Over so many, some go. */
  readonly high: number;
  /** A younger connection stays. */
  readonly graceMs: number;
}

/** Peers one knows of by their tags; bounded, since a client may name any peer. */
const MAX_TAGGED_PEERS = 10_000;

/** Weights of peers, and what follows from them. */
export class PeerTags {
  readonly #node: () => Libp2p;
  readonly #marks: WaterMarks;
  readonly #tags = new Map<string, Map<string, number>>();

  constructor(components: { node(): Libp2p }, marks: WaterMarks) {
    this.#node = components.node;
    this.#marks = marks;
  }

  /** Closes connections whenever there are too many from now on. */
  watch(): void {
    if (!this.#marks.isEnabled) return;
    this.#node().addEventListener("connection:open", () => {
      if (this.#node().getConnections().length <= this.#marks.high) return;
      guard("close surplus connections", () => this.trim());
    });
  }

  /** Gives a peer a weight under a name. @throws {DaemonError} if there are too many peers. */
  tag(peerId: string, tag: string, weight: number): void {
    const tags = this.#tags.get(peerId) ?? new Map<string, number>();
    if (!this.#tags.has(peerId) && this.#tags.size >= MAX_TAGGED_PEERS) {
      throw refusal(`cannot tag more than ${MAX_TAGGED_PEERS} peers`);
    }
    this.#tags.set(peerId, tags.set(tag, weight));
  }

  /** Takes a weight back. */
  untag(peerId: string, tag: string): void {
    const tags = this.#tags.get(peerId);
    tags?.delete(tag);
    if (tags?.size === 0) this.#tags.delete(peerId);
  }

  /** Closes connections of the peers of least weight until few enough are left. */
  async trim(): Promise<void> {
    if (!this.#marks.isEnabled) return;
    const connections = this.#node().getConnections();
    const surplus = connections.length - this.#marks.low;
    if (surplus <= 0) return;
    const old = connections
      .filter(({ timeline }) => Date.now() - timeline.open >= this.#marks.graceMs)
      .sort((a, b) => this.#weight(a) - this.#weight(b) || a.timeline.open - b.timeline.open);
    await Promise.all(old.slice(0, surplus).map((connection) => close(connection)));
  }

  #weight({ remotePeer }: Connection): number {
    const tags = this.#tags.get(remotePeer.toString());
    return [...tags?.values() ?? []].reduce((sum, weight) => sum + weight, 0);
  }
}

async function close(connection: Connection): Promise<void> {
  await connection.close({ signal: AbortSignal.timeout(1_000) }).catch((error) =>
    connection.abort(error)
  );
}

/** CONNMANAGER. */
export async function connManager(
  tags: PeerTags,
  body: ConnManagerFields | undefined,
): Promise<Answer> {
  const { type, peer, tag, weight = 0 } = required(body);
  switch (type) {
    case CONN_MANAGER.tagPeer:
      tags.tag(
        peerIdOf(required(peer, "peer")).toString(),
        required(tag || undefined, "tag"),
        weight,
      );
      return ok();
    case CONN_MANAGER.untagPeer:
      tags.untag(peerIdOf(required(peer, "peer")).toString(), required(tag || undefined, "tag"));
      return ok();
    case CONN_MANAGER.trim:
      await tags.trim();
      return ok();
    default:
      throw refusal("Unexpected request");
  }
}
