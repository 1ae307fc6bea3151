import {
  type Clock,
  connectLocal,
  guard,
  type Health,
  type LocalAddress,
  logger,
  type Service,
  type Timer,
} from "../core/mod.ts";

/** A listener of our own that must answer. */
export interface WatchedListener {
  /** Name in log lines and {@link Health}. */
  readonly component: string;
  /** Where it listens now. */
  addresses(): readonly LocalAddress[];
  /** First bytes of its protocol: it answers these, or hangs up. */
  readonly greeting: string;
  /** Listens anew at the same addresses, where that can be done. */
  reopen?(): Promise<void>;
}

/** What {@link ListenerWatchdog} uses. */
export interface ListenerWatchdogComponents {
  clock: Clock;
  health: Health;
  listeners: readonly WatchedListener[];
  /** Ends the process with exit code 70, so that a supervisor starts it anew. */
  giveUp(reason: string): void;
}

/** How {@link ListenerWatchdog} behaves. */
export interface ListenerWatchdogInit {
  /** Between two rounds, in milliseconds. @default {10_000} */
  intervalMs?: number;
  /** Longest wait for an answer, in milliseconds. @default {5_000} */
  answerTimeoutMs?: number;
  /** Failed rounds in a row before giving up. @default {3} */
  patience?: number;
}

const log = logger("system");

/**
 * Calls the daemon's own listeners: after the limit of file descriptors was hit, a listener on
 * this runtime stays deaf without any event. The kernel goes on taking connections for it, so only
 * an answer counts. A deaf listener is opened anew; when that does not help the daemon gives up.
 */
export class ListenerWatchdog implements Service {
  readonly name = "listener-watchdog";
  readonly #components: ListenerWatchdogComponents;
  readonly #init: Required<ListenerWatchdogInit>;
  readonly #failures = new Map<string, number>();
  #timer: Timer | undefined;

  constructor(components: ListenerWatchdogComponents, init: ListenerWatchdogInit = {}) {
    this.#components = components;
    this.#init = {
      intervalMs: init.intervalMs ?? 10_000,
      answerTimeoutMs: init.answerTimeoutMs ?? 5_000,
      patience: init.patience ?? 3,
    };
  }

  start(): Promise<void> {
    this.#timer = this.#components.clock.every(
      this.#init.intervalMs,
      () => guard("dial the daemon's own listeners", () => this.check()),
    );
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    return Promise.resolve();
  }

  /**
   * Calls every listener once and records the outcome. All at the same time: when several are deaf,
   * each of them is back after one wait, not after the waits for all before it.
   */
  async check(): Promise<void> {
    await Promise.all(this.#components.listeners.map((listener) => this.#checkOne(listener)));
  }

  async #checkOne(listener: WatchedListener): Promise<void> {
    const { component, greeting } = listener;
    const answered = await Promise.all(
      listener.addresses().map(async (endpoint) => {
        const isAnswered = await answers(endpoint, greeting, this.#init);
        const name = "path" in endpoint ? endpoint.path : `${endpoint.host}:${endpoint.port}`;
        this.#record(component, name, isAnswered);
        return isAnswered;
      }),
    );
    if (answered.includes(false) && this.#timer) await this.#reopen(listener);
  }

  async #reopen({ component, reopen }: WatchedListener): Promise<void> {
    if (!reopen) return;
    try {
      await reopen();
      log.warn("Listener opened anew", { component });
    } catch (error) {
      log.error("Listener not opened anew", { component, error });
    }
  }

  #record(component: string, address: string, answered: boolean): void {
    const failures = answered ? 0 : (this.#failures.get(address) ?? 0) + 1;
    const wasFailing = (this.#failures.get(address) ?? 0) > 0;
    this.#failures.set(address, failures);
    if (answered) {
      if (wasFailing) this.#components.health.serving(component);
      return;
    }
    log.error("Own listener does not answer", { component, address, failures });
    this.#components.health.failing(
      component,
      `${address} does not answer`,
      "raise the limit of open files (ulimit -n) and restart the daemon",
    );
    if (failures < this.#init.patience || !this.#timer) return;
    this.#components.giveUp(`listener ${address} (${component}) is deaf`);
  }
}

/** Whether somebody takes the connection: an answer of any kind tells, a hang-up too. */
async function answers(
  endpoint: LocalAddress,
  greeting: string,
  { answerTimeoutMs }: { answerTimeoutMs: number },
): Promise<boolean> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), answerTimeoutMs);
  try {
    const socket = await connectLocal(endpoint, { signal: late.signal });
    const { promise, resolve } = Promise.withResolvers<boolean>();
    late.signal.addEventListener("abort", () => resolve(false), { once: true });
    for (const event of ["data", "end", "close"]) socket.once(event, () => resolve(true));
    socket.on("error", () => undefined); // "close" follows and tells the outcome
    socket.write(greeting, "latin1");
    const isAnswered = await promise;
    socket.destroy();
    return isAnswered;
  } catch {
    return false; // nobody there, or too late
  } finally {
    clearTimeout(timer);
  }
}
