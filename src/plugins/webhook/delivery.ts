import { randomUUID } from "node:crypto";
import { type Clock, logger, messageOf, pause, systemClock } from "../../core/mod.ts";
import type { Event, WebhookStats, WebhookTest } from "../plugin.ts";
import { post } from "./post.ts";
import type { Resolve } from "./target.ts";

/** Events that wait, contract 4.6. */
export const QUEUE_LIMIT = 1_024;
/** Tries an event, contract 4.6. */
export const TRIES = 3;
/** Longest try, contract 4.6. */
export const TRY_TIMEOUT_MS = 5_000;
/** Wait before the second try; doubled before the third, contract 4.6. */
export const RETRY_WAIT_MS = 1_000;
/** Failed events in a row that open the breaker, contract 4.6. */
export const BREAKER_FAILURES = 5;
/** How long the breaker stays open, contract 4.6. */
export const BREAKER_MS = 30_000;

/** Counters that outlive a change of the URL. */
export interface DeliveryCounts {
  delivered: number;
  failed: number;
  dropped: number;
  circuitSkips: number;
  lastDelivery?: WebhookStats["lastDelivery"];
  lastError?: WebhookStats["lastError"];
}

/** How a {@link Delivery} behaves. */
export interface DeliveryInit {
  readonly url: URL;
  /** Asked for each event, so that a new secret counts at once. */
  readonly secret: () => string;
  readonly nodeId: () => number;
  readonly resolve: Resolve;
  readonly counts: DeliveryCounts;
  /** @default {systemClock} */
  readonly clock?: Clock;
  /** @default {RETRY_WAIT_MS} */
  readonly retryWaitMs?: number;
  /** @default {TRY_TIMEOUT_MS} */
  readonly tryTimeoutMs?: number;
}

const log = logger("plugins");

/** Brings events to one URL, one after another, in order. */
export class Delivery {
  readonly #init: DeliveryInit;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  #queue: Event[] = [];
  #running: Promise<void> | undefined;
  #failuresInRow = 0;
  #openUntil = 0;

  constructor(init: DeliveryInit) {
    this.#init = init;
    this.#clock = init.clock ?? systemClock;
  }

  /** Events that wait. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Whether events are skipped, because the receiver failed too often. */
  get isOpen(): boolean {
    return this.#clock.monotonic() < this.#openUntil;
  }

  /** Takes an event; never waits. */
  push(event: Event): void {
    if (this.#abort.signal.aborted) return;
    if (this.#queue.length >= QUEUE_LIMIT) return void this.#init.counts.dropped++;
    this.#queue.push(event);
    this.#running ??= this.#run().finally(() => this.#running = undefined);
  }

  /** Sends one event of its own at once, whatever waits or failed before. */
  async test(): Promise<WebhookTest> {
    const topic = "webhook.test";
    const time = new Date(this.#clock.now()).toISOString();
    return await this.#send(this.#bodyOf({ topic, time, payload: {} }), topic);
  }

  /** Delivers what waits for at most so long, then nothing more. */
  async drain(timeoutMs: number): Promise<void> {
    const late = new AbortController();
    const drained = async () => {
      while (this.#running) await this.#running;
    };
    await Promise.race([drained(), pause(timeoutMs, late.signal)]);
    late.abort();
    this.#init.counts.dropped += this.#queue.length;
    this.#queue = [];
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // a publisher never waits, not even for the first lines of this
    for (let event = this.#queue.shift(); event; event = this.#queue.shift()) {
      if (this.isOpen) {
        this.#init.counts.circuitSkips++;
        continue;
      }
      await this.#deliver(event);
    }
  }

  async #deliver(event: Event): Promise<void> {
    const { signal } = this.#abort;
    const body = this.#bodyOf(event);
    for (let attempt = 0; attempt < TRIES && !signal.aborted; attempt++) {
      if (attempt > 0) await pause(this.#retryWaitMs * 2 ** (attempt - 1), signal);
      if (signal.aborted || await this.#try(body, event)) return;
    }
    if (signal.aborted) return;
    this.#init.counts.failed++;
    if (++this.#failuresInRow < BREAKER_FAILURES) return;
    // Not reset here: after the pause one event tries, and its failure opens the breaker again.
    this.#openUntil = this.#clock.monotonic() + BREAKER_MS;
    log.warn("The webhook's receiver fails; events are skipped for a while", {
      host: this.#init.url.host,
      ms: BREAKER_MS,
    });
  }

  #bodyOf({ topic, time, payload }: Pick<Event, "topic" | "time" | "payload">): string {
    return JSON.stringify({
      event_id: randomUUID(),
      event: topic,
      node_id: this.#init.nodeId(),
      timestamp: time,
      ...Object.keys(payload).length > 0 ? { data: payload } : {},
    });
  }

  get #retryWaitMs(): number {
    return this.#init.retryWaitMs ?? RETRY_WAIT_MS;
  }

  // @returns Whether the event is settled, for better or worse.
  async #try(body: string, { topic }: Event): Promise<boolean> {
    const { status, error } = await this.#send(body, topic);
    if (status === undefined || status >= 500) {
      log.debug("An event did not reach the webhook's receiver", { topic, error });
      return false;
    }
    this.#failuresInRow = 0;
    if (status < 400) this.#init.counts.delivered++;
    else log.debug("The webhook's receiver refused an event", { topic, status });
    return true; // the receiver is there, and would refuse it again
  }

  async #send(body: string, event: string): Promise<WebhookTest> {
    const { url, resolve, secret, counts, tryTimeoutMs = TRY_TIMEOUT_MS } = this.#init;
    const timeout = AbortSignal.timeout(tryTimeoutMs);
    const begun = this.#clock.monotonic();
    const outcome = (error: string, status?: number): WebhookTest => {
      const ms = Math.round(this.#clock.monotonic() - begun);
      const time = new Date(this.#clock.now()).toISOString();
      if (error) counts.lastError = { time, event, reason: error };
      else counts.lastDelivery = { time, event, status: status ?? 0, ms };
      return { ok: error === "", ms, error, ...status === undefined ? {} : { status } };
    };
    try {
      const signal = AbortSignal.any([timeout, this.#abort.signal]);
      const status = await post({ url, body, resolve, secret: secret() }, signal);
      return outcome(status < 400 ? "" : `the receiver answered ${status}`, status);
    } catch (failure) {
      return outcome(messageOf(failure));
    }
  }
}
