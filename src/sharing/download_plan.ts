/** Which peer is asked for which chunk: by measured throughput, or in turn. Pure bookkeeping. */
import type { Manifest } from "./manifest.ts";
import { allChunks, type Chunk, type ChunkState, type DownloadPlanInit } from "./planned.ts";
import { flyingBytes, hasChunk, newPeer, newState, type PeerHoldings } from "./planned.ts";
import { type PlannedPeer, type PlanStrategy, soonest, stateOf } from "./planned.ts";
import type { TransferPeer } from "./transfers.ts";
import { dealInTurn, nextInTurn } from "./round_robin.ts";

/** A peer that failed is left alone for so long, contract 5.3. */
export const REST_MS = 30_000;
/** Rounds after the first attempt of a chunk, contract 5.3. */
export const MAX_RETRIES = 3;
/** Streams to one peer at a time; it serves eight, and questions need some. */
export const MAX_PEER_STREAMS = 5;
/** Seconds of a peer's throughput that are asked for ahead. */
const AHEAD_SECONDS = 0.4;
/** Asked for ahead in any case, so that many small files do not wait for one another. */
const LEAST_AHEAD_BYTES = 262_144;
/** Past this a peer is not asked for another chunk, so that memory stays small. */
const MOST_AHEAD_BYTES = 6 * 1_024 * 1_024;
/** Chunks looked at for the rarest. */
const CANDIDATES = 256;
/** While other downloaders bring chunks, a seed is not asked for their share. */
const SHARE_PATIENCE_MS = 2_000;

/** The chunks of a download and the peers that have them. */
export class DownloadPlan {
  readonly chunks: readonly Chunk[];
  readonly #strategy: PlanStrategy;
  readonly #selfId: string;
  readonly #random: () => number;
  readonly #peers = new Map<string, PlannedPeer>();
  readonly #states = new Map<number, ChunkState>();
  /** Neither done nor being fetched, in the order they are tried. */
  readonly #missing = new Set<number>();
  readonly #open = new Set<number>();
  #missingBytes = 0;
  #exhausted: number | undefined;
  #sharedAt = -Infinity;

  /** @param isDone Chunks that need not be fetched. */
  constructor(
    manifest: Pick<Manifest, "files">,
    isDone: (chunk: Chunk) => boolean,
    init: DownloadPlanInit = {},
  ) {
    this.#strategy = init.strategy ?? "measured";
    this.#selfId = init.selfId ?? "";
    this.#random = init.random ?? Math.random;
    this.chunks = allChunks(manifest);
    for (const chunk of this.chunks) {
      if (isDone(chunk)) continue;
      this.#missing.add(chunk.index);
      this.#open.add(chunk.index);
      this.#missingBytes += chunk.length;
    }
  }

  /** Chunks that are not there yet. */
  get left(): number {
    return this.#open.size;
  }

  /** A chunk that failed too often, if there is one. */
  get exhausted(): Chunk | undefined {
    return this.#exhausted === undefined ? undefined : this.chunks[this.#exhausted];
  }

  /** Peers in the plan, the fastest first. */
  get peers(): readonly string[] {
    const peers = [...this.#peers.values()].sort((a, b) => b.speed.rate - a.speed.rate);
    return peers.map(({ peerId }) => peerId);
  }

  /** Whether a chunk is still to come. */
  isOpen(index: number): boolean {
    return this.#open.has(index);
  }

  /** What each peer does. */
  states(now: number): Omit<TransferPeer, "chunks">[] {
    return [...this.#peers.values()].map((peer) => stateOf(peer, now));
  }

  /** Adds a peer, or tells anew what it has. */
  setPeer(peerId: string, has: PeerHoldings = {}): void {
    const known = this.#peers.get(peerId);
    if (known) known.bitmaps = has.bitmaps;
    else {
      this.#peers.set(peerId, newPeer(peerId, has));
      if (this.#strategy === "round-robin") this.#deal();
    }
  }

  /** A peer is gone; what it was asked for is asked elsewhere. */
  removePeer(peerId: string): void {
    const peer = this.#peers.get(peerId);
    if (!peer) return;
    this.#peers.delete(peerId);
    for (const index of peer.flying.keys()) this.#release(index, peerId);
    if (this.#strategy === "round-robin") this.#deal();
  }

  /** Bytes came from a peer. */
  received(peerId: string, bytes: number, now: number): void {
    const peer = this.#peers.get(peerId);
    peer?.speed.received(bytes, now);
    if (peer?.bitmaps) this.#sharedAt = now;
  }

  /** The next chunk a peer shall be asked for; undefined when it shall wait. */
  next(peerId: string, now: number): Chunk | undefined {
    const peer = this.#peers.get(peerId);
    if (!peer || peer.restedUntil > now || !this.#hasRoom(peer)) return undefined;
    const isInTurn = this.#strategy === "round-robin";
    const index = isInTurn ? this.#nextInTurn(peer) : this.#nextMeasured(peer, now);
    const chunk = index === undefined ? undefined : this.chunks[index];
    if (!chunk) return undefined;
    if (this.#missing.delete(chunk.index)) this.#missingBytes -= chunk.length;
    if (peer.flying.size === 0) peer.speed.begin(now);
    peer.flying.set(chunk.index, chunk.length);
    this.#state(chunk.index).flying.add(peerId);
    return chunk;
  }

  /**
   * Some of a chunk came, so many bytes are left; with the last one the peer is free for another
   * chunk, while this one is verified and written.
   */
  arrived(chunk: Chunk, peerId: string, left: number, now: number): void {
    const peer = this.#peers.get(peerId);
    if (!peer?.flying.has(chunk.index)) return;
    if (left > 0) return void peer.flying.set(chunk.index, left);
    peer.flying.delete(chunk.index);
    if (peer.flying.size === 0) peer.speed.end(now);
  }

  /** A chunk was fetched, verified and written. @returns Peers that still fetch it for nothing. */
  done(chunk: Chunk, peerId: string, now: number): string[] {
    this.#landed(chunk, peerId, now);
    this.#open.delete(chunk.index);
    if (this.#missing.delete(chunk.index)) this.#missingBytes -= chunk.length;
    const others = [...this.#states.get(chunk.index)?.flying ?? []];
    this.#states.delete(chunk.index);
    return others;
  }

  /** A chunk did not come, or was wrong. @param isHarmless The peer was not at fault. */
  failed(chunk: Chunk, peerId: string, now: number, isHarmless = false): void {
    const peer = this.#landed(chunk, peerId, now);
    if (!this.#open.has(chunk.index)) return; // another peer brought it
    if (!isHarmless) {
      if (peer) peer.restedUntil = now + REST_MS;
      const state = this.#state(chunk.index);
      state.failedBy.add(peerId);
      if (++state.attempts > MAX_RETRIES) this.#exhausted = chunk.index;
    }
    this.#release(chunk.index, peerId);
  }

  /** When a rested peer may be asked again, if that is all there is to wait for. */
  nextWake(now: number): number | undefined {
    const rested = [...this.#peers.values()].map(({ restedUntil }) => restedUntil)
      .filter((until) => until > now);
    return rested.length > 0 ? Math.min(...rested) : undefined;
  }

  /** Tells which peers are connected: nobody waits for the others. */
  setHere(here: ReadonlySet<string>): void {
    for (const peer of this.#peers.values()) peer.isAway = !here.has(peer.peerId);
  }

  /** Lets every rested peer be asked at once. */
  wakeAll(): void {
    for (const peer of this.#peers.values()) peer.restedUntil = 0;
  }

  /** Counts failures anew, after a chunk that failed too often was had in another way. */
  forgive(): void {
    this.#exhausted = undefined;
  }

  #landed(chunk: Chunk, peerId: string, now: number): PlannedPeer | undefined {
    const peer = this.#peers.get(peerId);
    peer?.flying.delete(chunk.index);
    if (peer?.flying.size === 0) peer.speed.end(now);
    this.#states.get(chunk.index)?.flying.delete(peerId);
    return peer;
  }

  #release(index: number, peerId: string): void {
    const state = this.#states.get(index);
    state?.flying.delete(peerId);
    const isFlying = (state?.flying.size ?? 0) > 0;
    if (isFlying || !this.#open.has(index) || this.#missing.has(index)) return;
    this.#missing.add(index);
    this.#missingBytes += this.chunks[index]?.length ?? 0;
  }

  #state(index: number): ChunkState {
    const state = this.#states.get(index) ?? newState();
    this.#states.set(index, state);
    return state;
  }

  #hasRoom(peer: PlannedPeer): boolean {
    if (peer.flying.size >= MAX_PEER_STREAMS) return false;
    const wanted = Math.min(MOST_AHEAD_BYTES, peer.speed.rate * AHEAD_SECONDS);
    const ahead = Math.max(LEAST_AHEAD_BYTES, wanted);
    return peer.flying.size === 0 || flyingBytes(peer) < ahead;
  }

  #mayAsk(peer: PlannedPeer, chunk: Chunk): boolean {
    if (!hasChunk(peer, chunk)) return false;
    const failedBy = this.#states.get(chunk.index)?.failedBy;
    if (!failedBy?.has(peer.peerId)) return true;
    // On another peer than the one that failed, as long as there is one.
    return ![...this.#peers.values()].some((other) =>
      !other.isAway && !failedBy.has(other.peerId) && hasChunk(other, chunk)
    );
  }

  #nextMeasured(peer: PlannedPeer, now: number): number | undefined {
    if (this.#missing.size === 0) return this.#duplicate(peer);
    const partials = [...this.#peers.values()].filter(({ bitmaps }) => bitmaps);
    const sharers = partials.length > 0 ? [...partials.map((p) => p.peerId), this.#selfId] : [];
    const turnOf = sharers.sort().indexOf(this.#selfId);
    const isPatient = now - this.#sharedAt < SHARE_PATIENCE_MS;
    const isSeed = sharers.length > 0 && !peer.bitmaps;
    let best: number | undefined;
    let bestScore = Infinity;
    let seen = 0;
    for (const index of this.#missing) {
      const chunk = this.chunks[index];
      if (!chunk || !this.#mayAsk(peer, chunk)) continue;
      const holders = partials.filter((other) => hasChunk(other, chunk)).length;
      const isOwn = index % Math.max(1, sharers.length) === turnOf;
      // What others have, or will have, is fetched from them: a seed then sends each chunk once.
      if (isSeed && isPatient && (!isOwn || holders > 0)) continue;
      const score = (isSeed && !isOwn ? 1_000 : 0) + holders + (isSeed ? 0 : this.#random());
      if (score < bestScore) [best, bestScore] = [index, score];
      if (sharers.length === 0 || ++seen >= CANDIDATES) break;
    }
    return best !== undefined && this.#isWorthwhile(peer, best, now) ? best : undefined;
  }

  // A slow peer must not hold the last chunk while others could have brought all the rest.
  #isWorthwhile(peer: PlannedPeer, index: number, now: number): boolean {
    const { rate } = peer.speed;
    if (rate === 0) return true;
    const chunk = this.chunks[index];
    let others = 0;
    let waiting = this.#missingBytes;
    let isAnyBusy = false;
    for (const other of this.#peers.values()) {
      if (other === peer) continue;
      isAnyBusy ||= other.flying.size > 0;
      // Only who has the chunk, and is at work, may be waited for.
      const isAble = chunk !== undefined && other.restedUntil <= now && this.#mayAsk(other, chunk);
      if (!isAble) continue;
      others += other.speed.rate;
      waiting += flyingBytes(other);
    }
    if (!isAnyBusy || others <= rate) return true;
    const own = (flyingBytes(peer) + (chunk?.length ?? 0)) / rate;
    return own <= waiting / others;
  }

  // In the end, what a slow peer still brings is asked of a fast one as well: the first one wins.
  #duplicate(peer: PlannedPeer): number | undefined {
    const { rate } = peer.speed;
    if (rate === 0 || peer.flying.size > 0) return undefined;
    let worst: number | undefined;
    let worstSeconds = 0;
    for (const other of this.#peers.values()) {
      for (const index of other.flying.keys()) {
        const chunk = this.chunks[index];
        if (!chunk || !this.#mayAsk(peer, chunk)) continue;
        const seconds = soonest(this.#peers.values(), index);
        if (seconds > 3 * chunk.length / rate && seconds > worstSeconds) {
          [worst, worstSeconds] = [index, seconds];
        }
      }
    }
    return worst;
  }

  #nextInTurn(peer: PlannedPeer): number | undefined {
    return nextInTurn(peer, this.#missing, this.#states, (index) => {
      const chunk = this.chunks[index];
      return this.#missing.has(index) && chunk !== undefined && this.#mayAsk(peer, chunk);
    });
  }

  #deal(): void {
    dealInTurn([...this.#peers.values()], this.#missing, this.chunks);
  }
}
