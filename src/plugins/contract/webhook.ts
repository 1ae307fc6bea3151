/** News by HTTP, contract 4.6. */

/** News by HTTP, contract 4.6. */
export interface WebhookManager {
  /** Takes effect at once; empty turns it off. @throws for an address that is not allowed. */
  setURL(url: string): Promise<void>;
  stats(): WebhookStats;
  /**
   * Sends what waits and ends; called once every plugin has ended, so that their last events go out
   * as well.
   *
   * @param timeoutMs What is left of the time to end, in milliseconds.
   */
  close?(timeoutMs: number): Promise<void>;
  /** Where events go; empty when off; optional. */
  url?(): string;
}

/** Counters since start; zeros when off. */
export interface WebhookStats {
  readonly dropped: number;
  readonly circuitSkips: number;
}
