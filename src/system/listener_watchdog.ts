import { connect } from "node:net";
import { type Clock, guard, type Health, logger, type Service, type Timer } from "../core/mod.ts";

/** A listener of our own that must answer. */
export interface WatchedListener {
  /** Name in log lines and {@link Health}. */
  readonly component: string;
  /** Where it listens now. */
  addresses(): readonly ({ host: string; port: number } | { path: string })[];
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
  /** Between two rounds, in milliseconds. @default {30_000} */
  intervalMs?: number;
  /** Longest wait for a connection, in milliseconds. @default {5_000} */
  connectTimeoutMs?: number;
  /** Failed rounds in a row before giving up. @default {3} */
  patience?: number;
}

const log = logger("system");

/**
 * Dials the daemon's own listeners: after the limit of file descriptors was hit, a listener on
 * this runtime stays deaf without any event, which only a dial can notice.
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
      intervalMs: init.intervalMs ?? 30_000,
      connectTimeoutMs: init.connectTimeoutMs ?? 5_000,
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

  /** Dials every listener once and records the outcome. */
  async check(): Promise<void> {
    for (const listener of this.#components.listeners) {
      for (const address of listener.addresses()) {
        const answered = await canConnect(address, this.#init.connectTimeoutMs);
        const name = "path" in address ? address.path : `${address.host}:${address.port}`;
        this.#record(listener.component, name, answered);
      }
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
      `${address} does not accept connections`,
      "raise the limit of open files (ulimit -n) and restart the daemon",
    );
    if (failures < this.#init.patience || !this.#timer) return;
    this.#components.giveUp(`listener ${address} (${component}) is deaf`);
  }
}

function canConnect(
  address: { host: string; port: number } | { path: string },
  timeoutMs: number,
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(address);
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  let answered = false;
  socket.once("connect", () => {
    answered = true;
    socket.destroy();
  });
  socket.on("error", () => undefined); // "close" follows and tells the outcome
  socket.once("close", () => {
    clearTimeout(timer);
    resolve(answered);
  });
  return promise;
}
