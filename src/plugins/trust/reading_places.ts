/** Messages read at the same time, in all. */
export const MAX_READING = 256;
/** Of these, of one known peer, or of all strangers on one host. */
export const MAX_READING_PER_SOURCE = 16;
/** Places that strangers cannot take. */
export const RESERVED_READING = 64;

/** Where a message comes from. */
export interface Sender {
  readonly peerId: string;
  readonly host: string;
  /** Trusted, or asked for trust by us. */
  readonly isKnown: boolean;
}

/**
 * Shares out the reading of messages: somebody who opens connections and says nothing must not
 * keep others from being heard.
 */
export class ReadingPlaces {
  readonly #taken = new Map<string, number>();
  #count = 0;

  /** Takes a place. @returns Gives it back; undefined when there is none. */
  take({ peerId, host, isKnown }: Sender): (() => void) | undefined {
    const source = isKnown ? peerId : host;
    const limit = isKnown ? MAX_READING : MAX_READING - RESERVED_READING;
    const own = this.#taken.get(source) ?? 0;
    if (this.#count >= limit || own >= MAX_READING_PER_SOURCE) return undefined;
    this.#count++;
    this.#taken.set(source, own + 1);
    return () => {
      this.#count--;
      const left = (this.#taken.get(source) ?? 1) - 1;
      if (left > 0) this.#taken.set(source, left);
      else this.#taken.delete(source);
    };
  }
}
