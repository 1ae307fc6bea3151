import { SlidingLimit } from "./mdns_limits.ts";

/** A peer silent for so long is expired, contract 1.5. */
export const EXPIRE_AFTER_MS = 60_000;
/** Addresses remembered of one peer, contract 1.5. */
export const MAX_ADDRESSES_PER_PEER = 32;
/** Remembered peers that we never were connected to, reliability R12. */
export const MAX_STRANGERS = 64;
/** Remembered strangers that one address spoke for, so that it cannot take all places. */
export const MAX_STRANGERS_PER_SOURCE = 16;
/** Remembered peers that we were connected to. */
const MAX_KNOWN_PEERS = 4_096;
/** Announcements of strangers passed on in any second, reliability R12. */
export const MAX_STRANGER_DISCOVERIES = 10;
/** Of these, from one address. */
const MAX_STRANGER_DISCOVERIES_PER_SOURCE = 5;
/** A stranger's announcement arrives over every link; so long the copies count as one. */
const REPEAT_MS = 1_000;

/** Why an announcement was refused. */
export type AnnouncementRefusal = "stranger_rate" | "strangers_full" | "known_full";

/** An announcement to pass on. */
export interface Discovery {
  readonly kind: "discovered";
  /** All that is remembered of the peer. */
  readonly addresses: readonly string[];
  /** The stranger that had to make room. */
  readonly evicted?: ExpiredPeer;
}

/** What became of an announcement. */
export type AnnouncementOutcome =
  | Discovery
  | { readonly kind: "repeated" }
  | { readonly kind: "refused"; readonly reason: AnnouncementRefusal };

/** An announcement as it came in, checked. */
export interface Announcement {
  readonly peerId: string;
  /** At least one; multiaddrs without `/p2p`. */
  readonly addresses: readonly string[];
  /** IP address of the packet. */
  readonly source: string;
  /** Addresses that name the packet's own source: of all claims the most credible. */
  readonly fromSource: ReadonlySet<string>;
}

/** A peer that fell silent or said goodbye. */
export interface ExpiredPeer {
  readonly peerId: string;
  readonly addresses: readonly string[];
}

interface Entry {
  readonly peerId: string;
  /** Who spoke for it first; it may say goodbye for it. */
  readonly source: string;
  readonly addresses: Map<string, { heardAt: number; isFromSource: boolean }>;
  heardAt: number;
  passedOnAt: number;
}

/** What {@link MdnsPeers} uses. */
export interface MdnsPeersComponents {
  /** Whether we ever were connected to a peer. */
  isKnown(peerId: string): boolean;
}

/** Who announces itself, and where; bounded, whatever strangers send. Times are milliseconds. */
export class MdnsPeers {
  readonly #components: MdnsPeersComponents;
  /** The longest silent first. */
  readonly #known = new Map<string, Entry>();
  readonly #strangers = new Map<string, Entry>();
  readonly #discoveries = new SlidingLimit(MAX_STRANGER_DISCOVERIES);
  readonly #discoveriesBySource = new Map<string, SlidingLimit>();

  constructor(components: MdnsPeersComponents) {
    this.#components = components;
  }

  /** How many peers are remembered. */
  get counts(): { readonly known: number; readonly strangers: number } {
    return { known: this.#known.size, strangers: this.#strangers.size };
  }

  /** Whether a peer is remembered, so that its id was checked before. */
  has(peerId: string): boolean {
    return this.#known.has(peerId) || this.#strangers.has(peerId);
  }

  /** Takes in an announcement. */
  announce(announcement: Announcement, now: number): AnnouncementOutcome {
    const isKnown = this.#components.isKnown(announcement.peerId);
    const entry = this.#take(announcement.peerId);
    if (!entry) return this.#meet(announcement, isKnown, now);
    const isRepeated = isRepeat(entry, announcement, now);
    learn(entry, announcement, now);
    this.#put(entry, isKnown);
    if (!isKnown) {
      if (isRepeated) return { kind: "repeated" };
      const reason = this.#refusePace(announcement.source, now);
      if (reason) return { kind: "refused", reason };
    }
    return discovered(entry, now);
  }

  #meet(announcement: Announcement, isKnown: boolean, now: number): AnnouncementOutcome {
    const { peerId, source } = announcement;
    const reason = isKnown ? this.#refuseKnown() : this.#refuseStranger(source, now);
    if (reason) return { kind: "refused", reason };
    const entry = { peerId, source, addresses: new Map(), heardAt: now, passedOnAt: now };
    learn(entry, announcement, now);
    const evicted = isKnown ? undefined : this.#makeRoom();
    this.#put(entry, isKnown);
    return { ...discovered(entry, now), ...(evicted ? { evicted } : {}) };
  }

  /**
   * Takes in a goodbye.
   *
   * @returns The peer, unless it is not remembered or the packet came from somebody else's address.
   */
  goodbye(announcement: Announcement): ExpiredPeer | undefined {
    const { peerId, source, fromSource } = announcement;
    const entry = this.#known.get(peerId) ?? this.#strangers.get(peerId);
    if (!entry) return undefined;
    const isOwn = entry.source === source ||
      [...fromSource].some((address) => entry.addresses.has(address));
    if (!isOwn) return undefined;
    this.#take(peerId);
    return toExpired(entry);
  }

  /** Drops what was not announced for a minute. @returns Peers of which nothing is left. */
  expire(now: number): ExpiredPeer[] {
    const expired: ExpiredPeer[] = [];
    for (const entry of [...this.#known.values(), ...this.#strangers.values()]) {
      if (now - entry.heardAt >= EXPIRE_AFTER_MS) {
        this.#take(entry.peerId);
        expired.push(toExpired(entry));
      } else dropOldAddresses(entry, now);
    }
    this.#discoveriesBySource.clear();
    return expired;
  }

  /** Forgets everybody, without a word. */
  clear(): void {
    this.#known.clear();
    this.#strangers.clear();
  }

  #refuseKnown(): AnnouncementRefusal | undefined {
    return this.#known.size >= MAX_KNOWN_PEERS ? "known_full" : undefined;
  }

  #refuseStranger(source: string, now: number): AnnouncementRefusal | undefined {
    const ofSource = [...this.#strangers.values()].filter((entry) => entry.source === source);
    if (ofSource.length >= MAX_STRANGERS_PER_SOURCE) return "strangers_full";
    return this.#refusePace(source, now);
  }

  #refusePace(source: string, now: number): AnnouncementRefusal | undefined {
    const ofSource = this.#discoveriesBySource.get(source) ??
      new SlidingLimit(MAX_STRANGER_DISCOVERIES_PER_SOURCE);
    this.#discoveriesBySource.set(source, ofSource);
    return ofSource.take(now) && this.#discoveries.take(now) ? undefined : "stranger_rate";
  }

  /** Lets go of the longest silent stranger if all places are taken. */
  #makeRoom(): ExpiredPeer | undefined {
    if (this.#strangers.size < MAX_STRANGERS) return undefined;
    for (const longestSilent of this.#strangers.values()) {
      this.#strangers.delete(longestSilent.peerId);
      return toExpired(longestSilent);
    }
    return undefined;
  }

  #take(peerId: string): Entry | undefined {
    const entry = this.#known.get(peerId) ?? this.#strangers.get(peerId);
    this.#known.delete(peerId);
    this.#strangers.delete(peerId);
    return entry;
  }

  #put(entry: Entry, isKnown: boolean): void {
    (isKnown ? this.#known : this.#strangers).set(entry.peerId, entry);
  }
}

function discovered(entry: Entry, now: number): Discovery {
  entry.passedOnAt = now;
  return { kind: "discovered", addresses: [...entry.addresses.keys()] };
}

function toExpired({ peerId, addresses }: Entry): ExpiredPeer {
  return { peerId, addresses: [...addresses.keys()] };
}

function isRepeat(entry: Entry, { addresses }: Announcement, now: number): boolean {
  return now - entry.passedOnAt < REPEAT_MS &&
    addresses.every((address) => entry.addresses.has(address));
}

function learn(entry: Entry, { addresses, fromSource }: Announcement, now: number): void {
  entry.heardAt = now;
  dropOldAddresses(entry, now);
  for (const address of addresses) {
    const known = entry.addresses.get(address);
    const isFromSource = fromSource.has(address) || known?.isFromSource === true;
    if (!known && !hasRoom(entry, isFromSource)) continue;
    entry.addresses.set(address, { heardAt: now, isFromSource });
  }
}

/** When full, a claim that names its own source takes the place of one that does not. */
function hasRoom(entry: Entry, isFromSource: boolean): boolean {
  if (entry.addresses.size < MAX_ADDRESSES_PER_PEER) return true;
  if (!isFromSource) return false;
  const [weakest] = [...entry.addresses].find(([, { isFromSource }]) => !isFromSource) ?? [];
  return weakest !== undefined && entry.addresses.delete(weakest);
}

function dropOldAddresses(entry: Entry, now: number): void {
  for (const [address, { heardAt }] of entry.addresses) {
    if (now - heardAt >= EXPIRE_AFTER_MS) entry.addresses.delete(address);
  }
}
