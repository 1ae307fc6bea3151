/** How much of what comes in by mDNS is looked at: everything is counted before it is read. */

/** Packets a second from one address, reliability R12. */
export const MAX_PACKETS_PER_SOURCE = 50;
/** Packets a second on one interface from addresses without a known peer. */
export const MAX_STRANGER_PACKETS_PER_INTERFACE = 200;
/** Packets a second from addresses of known peers, all together. */
export const MAX_KNOWN_PACKETS = 1_000;
/** Source addresses counted apart in one second; more of them are refused in it. */
export const MAX_SOURCES = 1_024;
/** Addresses remembered as those of known peers. */
const MAX_KNOWN_SOURCES = 4_096;
const WINDOW_MS = 1_000;

/** Why a packet was refused. */
export type RateRefusal = "source_rate" | "interface_rate";

/** Counts packets in windows of one second. */
export class PacketLimiter {
  #windowStart = Number.NEGATIVE_INFINITY;
  readonly #bySource = new Map<string, number>();
  readonly #byInterface = new Map<string, number>();
  #known = 0;
  readonly #knownSources = new Set<string>();

  /** Counts a packet. @returns Why it must be dropped, or `undefined`. */
  admit(source: string, interfaceName: string, now: number): RateRefusal | undefined {
    if (now - this.#windowStart >= WINDOW_MS) this.#openWindow(now);
    const fromSource = this.#bySource.get(source) ?? 0;
    if (fromSource >= MAX_PACKETS_PER_SOURCE) return "source_rate";
    if (fromSource === 0 && this.#bySource.size >= MAX_SOURCES) return "source_rate";
    this.#bySource.set(source, fromSource + 1);
    if (this.#knownSources.has(source)) {
      return this.#known++ < MAX_KNOWN_PACKETS ? undefined : "interface_rate";
    }
    const onInterface = this.#byInterface.get(interfaceName) ?? 0;
    this.#byInterface.set(interfaceName, onInterface + 1);
    return onInterface < MAX_STRANGER_PACKETS_PER_INTERFACE ? undefined : "interface_rate";
  }

  /** A known peer speaks from this address: a flood of strangers must not shut it out. */
  addKnownSource(source: string): void {
    this.#knownSources.delete(source);
    this.#knownSources.add(source);
    if (this.#knownSources.size <= MAX_KNOWN_SOURCES) return;
    for (const oldest of this.#knownSources) {
      this.#knownSources.delete(oldest);
      return;
    }
  }

  #openWindow(now: number): void {
    this.#windowStart = now;
    this.#bySource.clear();
    this.#byInterface.clear();
    this.#known = 0;
  }
}

/** Lets through so many in any second, not only in each second of the clock. */
export class SlidingLimit {
  readonly #limit: number;
  readonly #times: number[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns Whether one more is within the limit; if so, it counts. */
  take(now: number): boolean {
    while (this.#times.length > 0 && now - (this.#times[0] ?? 0) >= WINDOW_MS) this.#times.shift();
    if (this.#times.length >= this.#limit) return false;
    this.#times.push(now);
    return true;
  }
}
