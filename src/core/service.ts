import { DaemonError, messageOf } from "./errors.ts";
import { logger } from "./log.ts";
import { withDeadline } from "./time.ts";

/** Anything that runs. */
export interface Service {
  /** Stable name for log lines, status and error messages. */
  readonly name: string;
  /** Longest wait for it to stop, in milliseconds, where the daemon's is too short. */
  readonly stopTimeoutMs?: number;
  /** Resolves once ready to serve; on rejection nothing is left running. */
  start(): Promise<void>;
  /** Ends all background work; safe to call twice, and before `start()`. */
  stop(): Promise<void>;
}

/** How long {@link Daemon.stop} waits. */
export interface DaemonInit {
  /** Longest wait for one service to stop, in milliseconds. @default {1_500} */
  stopTimeoutMs?: number;
}

const log = logger("core");

/** Services in order: started forwards, stopped in reverse, unwound if one fails to start. */
export class Daemon implements Service {
  readonly name = "daemon";
  readonly #services: readonly Service[];
  readonly #stopTimeoutMs: number;
  readonly #running: Service[] = [];
  #stopping: Promise<void> | undefined;

  /** @param services In start order: a service may use the ones before it. */
  constructor(services: readonly Service[], init: DaemonInit = {}) {
    this.#services = services;
    this.#stopTimeoutMs = init.stopTimeoutMs ?? 1_500;
  }

  /**
   * Starts every service in order.
   *
   * @throws Whatever the failing service threw, after those already started were stopped again.
   */
  async start(): Promise<void> {
    this.#stopping = undefined;
    for (const service of this.#services) {
      try {
        await service.start();
      } catch (failure) {
        await this.stop().catch((error) => log.error("Unwinding failed", { error }));
        throw failure;
      }
      this.#running.push(service);
      log.debug("Service started", { service: service.name });
    }
  }

  /**
   * Stops every running service in reverse, each with its own deadline; all are attempted.
   *
   * @throws {DaemonError} `deadline_exceeded` or `internal`, naming each service that did not stop.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    const hung: string[] = [];
    for (let service = this.#running.pop(); service; service = this.#running.pop()) {
      try {
        const timeoutMs = service.stopTimeoutMs ?? this.#stopTimeoutMs;
        await withDeadline(service.stop(), timeoutMs, `stop service "${service.name}"`);
        log.debug("Service stopped", { service: service.name });
      } catch (error) {
        hung.push(`${service.name} (${messageOf(error)})`);
        log.error("Service did not stop", { service: service.name, error });
      }
    }
    if (hung.length > 0) {
      throw new DaemonError("internal", `Cannot stop every service: ${hung.join("; ")}`);
    }
  }
}
