import { readFile, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  type Clock,
  DaemonError,
  logger,
  messageOf,
  systemClock,
  systemCode,
  writeDurably,
} from "../../core/mod.ts";
import type {
  Daemon,
  Plugin,
  Registrar,
  WebhookManager,
  WebhookStats,
  WebhookTest,
} from "../plugin.ts";
import type { Delivery, DeliveryCounts, DeliveryInit } from "./delivery.ts";
import type { Resolve } from "./target.ts";

/** How long the old URL gets what waits for it, contract 4.6. */
export const DRAIN_MS = 5_000;
/** How long the last events may take when the daemon stops. */
const LAST_DRAIN_MS = 2_000;

const log = logger("plugins");

/** News by HTTP. */
export function register({ registerPlugin }: Registrar): void {
  registerPlugin("webhook", () => new WebhookPlugin());
}

/** What tests replace. */
export interface WebhookMachine
  extends Partial<Pick<DeliveryInit, "retryWaitMs" | "tryTimeoutMs">> {
  readonly clock?: Clock;
  readonly resolve?: Resolve;
}

/** Posts every event to one URL, contract 4.6. */
export class WebhookPlugin implements Plugin, WebhookManager {
  readonly name = "webhook";
  readonly #machine: WebhookMachine;
  readonly #counts: DeliveryCounts = { delivered: 0, failed: 0, dropped: 0, circuitSkips: 0 };
  #daemon: Daemon | undefined;
  #delivery: Delivery | undefined;
  #url = "";
  #end: (() => void) | undefined;
  // One change after another.
  #last: Promise<unknown> = Promise.resolve();

  constructor(machine: WebhookMachine = {}) {
    this.#machine = machine;
  }

  async init(daemon: Daemon): Promise<void> {
    this.#daemon = daemon;
    const configured = daemon.config()["url"];
    const url = await this.#readUrl() ?? (typeof configured === "string" ? configured : "");
    if (url !== "") this.#use(await this.#createDelivery(url), url);
    const events = daemon.bus().subscribe("*");
    this.#end = () => events.cancel();
    daemon.background("hand events to the webhook", async () => {
      for await (const event of events) this.#delivery?.push(event);
      await this.#delivery?.drain(LAST_DRAIN_MS); // nobody called close()
    });
    daemon.registerWebhookManager(this);
  }

  /** Plugins that end later may still have something to say; {@link close} ends the delivery. */
  shutdown(): void {}

  async close(timeoutMs: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0)); // events of this very turn still count
    this.#end?.();
    await this.#delivery?.drain(Math.min(timeoutMs, LAST_DRAIN_MS));
    this.#delivery = undefined;
  }

  /** Where events go; empty when off. */
  url(): string {
    return this.#url;
  }

  setURL(url: string): Promise<void> {
    const done = this.#last.then(() => this.#change(url));
    this.#last = done.catch(() => undefined);
    return done;
  }

  stats(): WebhookStats & DeliveryCounts & { queued: number } {
    const { queued = 0, isOpen: isPaused = false } = this.#delivery ?? {};
    return { ...this.#counts, queued, isPaused };
  }

  /** Sends one event now. @throws {DaemonError} `failed_precondition` when off. */
  async test(): Promise<WebhookTest> {
    if (this.#delivery) return await this.#delivery.test();
    const remedy = "set a URL first: almenad webhook set <url>";
    throw new DaemonError("failed_precondition", `Cannot test the webhook: it is off; ${remedy}`);
  }

  async #change(text: string): Promise<void> {
    const next = text === "" ? undefined : await this.#createDelivery(text);
    await this.#keep(text);
    const before = this.#delivery;
    this.#delivery = undefined;
    this.#url = "";
    if (next) this.#use(next, text);
    await before?.drain(DRAIN_MS);
  }

  // What delivers is loaded with the first URL: most daemons never have one.
  async #createDelivery(text: string): Promise<Delivery> {
    const { checkUrl, Delivery, systemResolve } = await import("./engine.ts");
    const { clock = systemClock, resolve = systemResolve, ...times } = this.#machine;
    const daemon = this.#daemon;
    return new Delivery({
      ...{ url: checkUrl(text), clock, resolve, ...times, counts: this.#counts },
      secret: () => String(daemon?.config()["secret"] ?? ""),
      nodeId: () => daemon?.nodeId() ?? 0,
    });
  }

  #use(delivery: Delivery, text: string): void {
    this.#url = text;
    this.#delivery = delivery;
    log.info("Events go to a webhook", { host: new URL(text).host });
  }

  get #path(): string {
    const path = this.#daemon?.identityPath() ?? "";
    return path && join(dirname(path), "webhook_url");
  }

  async #readUrl(): Promise<string | undefined> {
    if (this.#path === "") return undefined;
    try {
      return (await readFile(this.#path, "utf8")).trim() || undefined;
    } catch (cause) {
      if (systemCode(cause) === "ENOENT") return undefined;
      throw new DaemonError("data_loss", `Cannot read ${this.#path}: ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  async #keep(url: string): Promise<void> {
    if (this.#path === "") return;
    try {
      if (url) await writeDurably(this.#path, `${url}\n`);
      else await unlink(this.#path);
    } catch (cause) {
      if (url === "" && systemCode(cause) === "ENOENT") return;
      const code = systemCode(cause) === "ENOSPC" ? "resource_exhausted" : "unavailable";
      throw new DaemonError(code, `Cannot write ${this.#path}: ${messageOf(cause)}`, { cause });
    }
  }
}
