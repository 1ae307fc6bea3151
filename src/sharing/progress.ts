/** How far a download is. */
export interface DownloadProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Lately, bytes a second. */
  readonly bytesPerSecond: number;
  /** Missing while the rate is unknown. */
  readonly secondsLeft?: number;
  readonly peers: number;
}

/** Samples over which the rate is averaged. */
const SAMPLES = 10;

/** Turns bytes so far into a rate and the time left. */
export class ProgressMeter {
  readonly #totalBytes: number;
  #samples: { readonly at: number; readonly bytes: number }[] = [];

  constructor(totalBytes: number) {
    this.#totalBytes = totalBytes;
  }

  /** Takes a sample. @param now Milliseconds that never go backwards. */
  read(doneBytes: number, now: number): Omit<DownloadProgress, "peers"> {
    this.#samples = [...this.#samples, { at: now, bytes: doneBytes }].slice(-SAMPLES);
    const [first] = this.#samples;
    const ms = first ? now - first.at : 0;
    const rate = first && ms > 0 ? Math.max(0, doneBytes - first.bytes) * 1_000 / ms : 0;
    const left = this.#totalBytes - doneBytes;
    return {
      doneBytes,
      totalBytes: this.#totalBytes,
      bytesPerSecond: Math.round(rate),
      ...(rate > 0 ? { secondsLeft: Math.ceil(left / rate) } : {}),
    };
  }
}
