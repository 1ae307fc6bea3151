import { DaemonError } from "../core/mod.ts";

/** Streams that all HTTP clients may have open, so that connections are left for calls. */
export const MAX_HTTP_STREAMS = 32;

/** Bounds how many streams are open at once. */
export class StreamPlaces {
  readonly #limit: number;
  #taken = 0;

  constructor(limit: number = MAX_HTTP_STREAMS) {
    this.#limit = limit;
  }

  /** Streams open now. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Takes a place.
   *
   * @returns Gives it back; safe to call twice.
   * @throws {DaemonError} `resource_exhausted` if there is none.
   */
  take(): () => void {
    if (this.#taken >= this.#limit) {
      throw new DaemonError(
        "resource_exhausted",
        `Cannot open another stream: ${this.#limit} are open; close one, or use the control socket`,
      );
    }
    this.#taken++;
    let isMine = true;
    return () => {
      if (isMine) this.#taken--;
      isMine = false;
    };
  }
}
