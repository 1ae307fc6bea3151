import { type Clock, guard, logger, type Timer } from "../core/mod.ts";
import { type Game, isBusy } from "./messages.ts";
import { compareVersions } from "./names.ts";
import type { PeerClient } from "./peer_client.ts";

/** Between two pings of a peer, contract 5.5. */
export const PING_INTERVAL_MS = 10_000;
/** A peer that misses so many pings is gone, contract 5.5. */
export const MAX_MISSES = 3;
/** A peer that is silent for so long is gone, contract 5.5; a second early, to be done in time. */
export const MAX_SILENCE_MS = 29_000;
/** Peers whose lists are kept. */
const MAX_LIBRARY_PEERS = 1_024;
/** Characters of all peers' lists together; what is beyond is not remembered. */
export const MAX_LISTED_CHARACTERS = 48 * 1_024 * 1_024;
/** What an entry takes besides its texts. */
const ENTRY_CHARACTERS = 64;

/** The newest version of an item among peers. */
export interface LatestItem extends Game {
  /** Peers that have this version. */
  readonly peers: readonly string[];
}

interface Entry {
  games: ReadonlyMap<string, Game>;
  characters: number;
  seenAt: number;
  misses: number;
  isAsking: boolean;
}

/** What {@link PeerItems} uses. */
export interface PeerItemsComponents {
  readonly clock: Clock;
  readonly client: Pick<PeerClient, "ping" | "listGames">;
  /** Whether a peer may be asked; that may change while it is connected. @default always */
  mayShareWith?(peerId: string): boolean;
  /** Told what became of peers and their lists. */
  onJoined(peerId: string): void;
  onLeft(peerId: string): void;
  onListed(peerId: string): void;
}

const log = logger("sharing");

/** What peers have: asked when they appear and every ten seconds; a silent peer is forgotten. */
export class PeerItems {
  readonly #components: PeerItemsComponents;
  readonly #peers = new Map<string, Entry>();
  /** Connected peers that speak the protocol, also those that fell silent or may not be asked. */
  readonly #speakers = new Set<string>();
  #timers: Timer[] = [];
  #abort = new AbortController();

  constructor(components: PeerItemsComponents) {
    this.#components = components;
  }

  /** Begins to ping. */
  start(): void {
    const { clock } = this.#components;
    this.#abort = new AbortController();
    this.#timers = [
      clock.every(PING_INTERVAL_MS, () => this.#askAll()),
      clock.every(1_000, () => this.#prune()),
    ];
  }

  /** Ends everything; safe to call twice. */
  stop(): void {
    this.#abort.abort();
    for (const timer of this.#timers.splice(0)) timer.cancel();
    this.#peers.clear();
    this.#speakers.clear();
  }

  /** Peers that share a library. */
  get count(): number {
    return this.#peers.size;
  }

  /** Their ids. */
  ids(): string[] {
    return [...this.#peers.keys()];
  }

  /** A peer is connected and speaks the protocol. */
  speaks(peerId: string): void {
    if (this.#speakers.size < MAX_LIBRARY_PEERS) this.#speakers.add(peerId);
    if (this.#mayAsk(peerId)) this.joined(peerId);
  }

  /** A peer shares a library: its list is asked for. */
  joined(peerId: string): void {
    if (this.#peers.has(peerId)) return;
    if (this.#peers.size >= MAX_LIBRARY_PEERS) return;
    const seenAt = this.#components.clock.monotonic();
    this.#peers.set(peerId, {
      games: new Map(),
      characters: 0,
      seenAt,
      misses: 0,
      isAsking: false,
    });
    this.#components.onJoined(peerId);
    guard("ask a peer for its list", () => this.#ask(peerId));
  }

  /** A peer's last connection closed. */
  left(peerId: string): void {
    this.#speakers.delete(peerId);
    this.#lose(peerId);
  }

  /** A peer sends content: on a busy link its answer to a ping may be late all the same. */
  heard(peerId: string): void {
    const entry = this.#peers.get(peerId);
    if (!entry) return;
    entry.misses = 0;
    entry.seenAt = this.#components.clock.monotonic();
  }

  /** Asks every peer for its list now. */
  async refresh(): Promise<void> {
    await Promise.all(this.ids().map((peerId) => this.#ask(peerId).catch(() => undefined)));
  }

  /** The version of an item that a peer listed. */
  versionOf(peerId: string, id: string): string | undefined {
    const game = this.#peers.get(peerId)?.games.get(id);
    return game?.downloaded ? game.version : undefined;
  }

  /** The newest version of an item, if any peer has one. */
  latest(id: string): LatestItem | undefined {
    let latest: LatestItem | undefined;
    for (const [peerId, { games }] of this.#peers) {
      const game = games.get(id);
      if (game?.downloaded) latest = newer(latest, game, peerId);
    }
    return latest;
  }

  /** The newest version of every item. */
  all(): Map<string, LatestItem> {
    const all = new Map<string, LatestItem>();
    for (const [peerId, { games }] of this.#peers) {
      for (const [id, game] of games) {
        if (game.downloaded) all.set(id, newer(all.get(id), game, peerId));
      }
    }
    return all;
  }

  #mayAsk(peerId: string): boolean {
    return this.#components.mayShareWith?.(peerId) ?? true;
  }

  // It may come back as long as its connection stays.
  #lose(peerId: string): void {
    if (this.#peers.delete(peerId)) this.#components.onLeft(peerId);
  }

  #askAll(): void {
    for (const peerId of this.#peers.keys()) {
      if (this.#mayAsk(peerId)) guard("ping a peer", () => this.#ask(peerId));
      else this.#lose(peerId);
    }
    for (const peerId of this.#speakers) {
      if (this.#peers.has(peerId) || !this.#mayAsk(peerId)) continue;
      guard("look for a peer", () => this.#lookFor(peerId));
    }
  }

  async #lookFor(peerId: string): Promise<void> {
    try {
      await this.#ping(peerId);
    } catch {
      return; // still away
    }
    if (this.#speakers.has(peerId) && this.#mayAsk(peerId)) this.joined(peerId);
  }

  // Who is too busy to answer is there.
  async #ping(peerId: string): Promise<void> {
    try {
      await this.#components.client.ping(peerId, this.#abort.signal);
    } catch (failure) {
      if (!isBusy(failure)) throw failure;
    }
  }

  async #ask(peerId: string): Promise<void> {
    const entry = this.#peers.get(peerId);
    if (!entry || entry.isAsking) return;
    entry.isAsking = true;
    const { client, clock } = this.#components;
    try {
      await this.#ping(peerId);
      entry.misses = 0;
      entry.seenAt = clock.monotonic();
      const games = await client.listGames(peerId, this.#abort.signal);
      entry.seenAt = clock.monotonic();
      const before = entry.games;
      this.#remember(peerId, entry, games);
      if (isChanged(before, entry.games)) this.#components.onListed(peerId);
    } catch (error) {
      if (isBusy(error)) return; // what it told before counts
      entry.misses++;
      log.debug("A peer does not answer", { peerId, misses: entry.misses, error });
      if (entry.misses >= MAX_MISSES) this.#lose(peerId);
    } finally {
      entry.isAsking = false;
    }
  }

  // A peer's own list gives way before those of others do.
  #remember(peerId: string, entry: Entry, games: readonly Game[]): void {
    let others = 0;
    for (const one of this.#peers.values()) if (one !== entry) others += one.characters;
    const kept = new Map<string, Game>();
    entry.characters = 0;
    for (const game of games) {
      const { id, name, version } = game;
      const characters = id.length + name.length + version.length + ENTRY_CHARACTERS;
      if (others + entry.characters + characters > MAX_LISTED_CHARACTERS) {
        log.warn("A peer's list is too long and was cut", { peerId, items: games.length });
        break;
      }
      entry.characters += characters;
      kept.set(id, game);
    }
    entry.games = kept;
  }

  #prune(): void {
    const now = this.#components.clock.monotonic();
    for (const [peerId, { seenAt }] of this.#peers) {
      if (now - seenAt >= MAX_SILENCE_MS) this.#lose(peerId);
    }
  }
}

function newer(latest: LatestItem | undefined, game: Game, peerId: string): LatestItem {
  const order = latest ? compareVersions(game.version, latest.version) : 1;
  if (!latest || order > 0) return { ...game, peers: [peerId] };
  return order === 0 ? { ...latest, peers: [...latest.peers, peerId] } : latest;
}

function isChanged(before: ReadonlyMap<string, Game>, after: ReadonlyMap<string, Game>): boolean {
  if (before.size !== after.size) return true;
  for (const [id, game] of after) {
    const old = before.get(id);
    if (!old || old.version !== game.version || old.size !== game.size || old.name !== game.name) {
      return true;
    }
  }
  return false;
}
