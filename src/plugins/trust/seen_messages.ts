import { DaemonError } from "../../core/mod.ts";

/** Messages remembered in all, contract 4.4. */
export const MAX_SEEN = 8_192;
/** Messages remembered of one peer, contract 4.4. */
export const MAX_SEEN_PER_SOURCE = 64;
/** Places that strangers cannot take: who is trusted, or was asked, is heard all the same. */
const RESERVED_SEEN = 1_024;
/** How long a message is remembered, contract 4.4: longer than its age is accepted. */
export const SEEN_MS = 10 * 60_000;

/** Remembers messages, so that none counts twice; when full, nothing new is taken. */
export class SeenMessages {
  readonly #entries = new Map<string, { source: string; until: number }>();
  readonly #perSource = new Map<string, number>();

  /** Messages remembered now. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Notes a message.
   *
   * @param init.isKnown Whether the source is trusted or was asked; strangers cost nothing to make.
   * @throws {DaemonError} `already_exists` for a replay, `resource_exhausted` when full.
   */
  add(
    hash: string,
    source: string,
    now: number,
    { keepMs = SEEN_MS, isKnown = false }: { keepMs?: number; isKnown?: boolean } = {},
  ): void {
    if (this.#entries.has(hash)) throw refused("already_exists", "it was sent before");
    if (this.#isFull(source, isKnown)) {
      this.reap(now);
      if (this.#isFull(source, isKnown)) {
        throw refused("resource_exhausted", "too many came in the last minutes");
      }
    }
    this.#entries.set(hash, { source, until: now + keepMs });
    this.#perSource.set(source, (this.#perSource.get(source) ?? 0) + 1);
  }

  #isFull(source: string, isKnown: boolean): boolean {
    return this.#entries.size >= (isKnown ? MAX_SEEN : MAX_SEEN - RESERVED_SEEN) ||
      (this.#perSource.get(source) ?? 0) >= MAX_SEEN_PER_SOURCE;
  }

  /** Forgets what is old. */
  reap(now: number): void {
    for (const [hash, { source, until }] of this.#entries) {
      if (until > now) continue;
      this.#entries.delete(hash);
      const left = (this.#perSource.get(source) ?? 1) - 1;
      if (left > 0) this.#perSource.set(source, left);
      else this.#perSource.delete(source);
    }
  }
}

function refused(code: "already_exists" | "resource_exhausted", reason: string): DaemonError {
  return new DaemonError(code, `Cannot take the message: ${reason}`);
}
