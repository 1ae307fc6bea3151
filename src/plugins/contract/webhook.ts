/** News by HTTP, contract 4.6. */

/** News by HTTP, contract 4.6. */
export interface WebhookManager {
  /** Takes effect at once; empty turns it off. @throws for an address that is not allowed. */
  setURL(url: string): Promise<void>;
  stats(): WebhookStats;
  /** Sends one event now and tells what came of it; optional. @throws when off. */
  test?(): Promise<WebhookTest>;
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
  readonly delivered?: number;
  readonly failed?: number;
  /** Events that wait. */
  readonly queued?: number;
  /** Whether events are skipped, because the receiver failed too often. */
  readonly isPaused?: boolean;
  /** The last event that the receiver took. */
  readonly lastDelivery?: {
    /** RFC 3339, UTC. */
    readonly time: string;
    readonly event: string;
    readonly status: number;
    readonly ms: number;
  } | undefined;
  /** The last event that it did not take, at whatever try. */
  readonly lastError?: {
    readonly time: string;
    readonly event: string;
    readonly reason: string;
  } | undefined;
}

/** What came of one event. */
export interface WebhookTest {
  readonly ok: boolean;
  /** HTTP status; absent when there was no answer. */
  readonly status?: number;
  readonly ms: number;
  /** Why it did not get there, or was refused; empty when it was taken. */
  readonly error: string;
}
