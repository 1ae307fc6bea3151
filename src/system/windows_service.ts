/**
 * Runs the daemon as a Windows service: the executable itself speaks the Service Control Manager's
 * protocol, so no wrapper program is needed.
 *
 * Source: https://learn.microsoft.com/windows/win32/services/service-status-transitions.
 */
import { type Clock, DaemonError, logger, systemClock, type Timer } from "../core/mod.ts";
import {
  openServiceControlApi,
  SERVICE_ACCEPT,
  SERVICE_STATE,
  type ServiceControlApi,
  type ServiceStatus,
} from "./service_control_api.ts";

/** Name under which the daemon is registered with the Service Control Manager, contract 1.8. */
export const WINDOWS_SERVICE_NAME = "AlmenaD";

/**
 * Exit codes after which starting again helps nobody, contract 2.7: they are reported as an orderly
 * stop. After any other code but 0 the process ends without saying so, which Windows takes for a
 * crash and answers with the recovery actions of the service.
 */
export const FINAL_EXIT_CODES: readonly number[] = [0, 2, 3, 5, 6];

/** What {@link runWindowsService} runs, and as what. */
export interface WindowsServiceInit {
  /** @default {"AlmenaD"} */
  serviceName?: string;
  /**
   * The daemon itself.
   *
   * @param signal Aborted when Windows asks the service to stop or shuts down.
   * @param ready To be called once all listeners are up: the service is then shown as running.
   * @returns The exit code.
   */
  run(signal: AbortSignal, ready: () => void): Promise<number>;
  /** The exit code when `run` throws. @default always 70, an internal failure */
  exitCodeOf?: (failure: unknown) => number;
}

/** What {@link runWindowsService} stands on; tests bring their own. */
export interface WindowsServiceComponents {
  /** Opens the service API. @default {openServiceControlApi} */
  openApi?: () => ServiceControlApi;
  /** @default {systemClock} */
  clock?: Clock;
}

/** SERVICE_CONTROL_*, winsvc.h. */
const CONTROL = { stop: 1, interrogate: 4, shutdown: 5 } as const;
/** NO_ERROR and ERROR_CALL_NOT_IMPLEMENTED, winerror.h. */
const ANSWER = { done: 0, unknown: 120 } as const;
/** Exit code of an internal failure, contract 2.7. */
const EXIT_INTERNAL = 70;
/** A sign of life this often while starting or stopping. */
const HEARTBEAT_MS = 1_000;
/** Windows gives a service up when this long passes without one; an orderly stop takes 6 s at most. */
const WAIT_HINT_MS = 10_000;
/** After so many signs of life a start or stop counts as hung, and Windows may say so. */
const MAX_HEARTBEATS = 60;

const log = logger("system");

/**
 * Runs the daemon under the Service Control Manager and ends when the daemon has.
 *
 * The caller must end the process with the returned code at once: the service is over, and threads
 * of Windows' own would keep the process alive.
 *
 * @throws {DaemonError} `failed_precondition` if this process was not started by the Service Control
 * Manager, `unimplemented` on other systems, `permission_denied` without the right to call native code.
 */
export async function runWindowsService(
  init: WindowsServiceInit,
  components: WindowsServiceComponents = {},
): Promise<number> {
  const api = (components.openApi ?? openServiceControlApi)();
  return await new WindowsService(api, components.clock ?? systemClock, init).run();
}

/** One life of the service: start pending, running, stop pending, stopped. */
class WindowsService {
  readonly #api: ServiceControlApi;
  readonly #clock: Clock;
  readonly #init: WindowsServiceInit;
  readonly #stop = new AbortController();
  readonly #ended = Promise.withResolvers<number>();
  #heartbeat: Timer | undefined;
  #isStopping = false;

  constructor(api: ServiceControlApi, clock: Clock, init: WindowsServiceInit) {
    this.#api = api;
    this.#clock = clock;
    this.#init = init;
  }

  async run(): Promise<number> {
    const name = this.#init.serviceName ?? WINDOWS_SERVICE_NAME;
    const dispatched = this.#api.dispatch(name, {
      onStart: () => this.#begin(),
      onControl: (control) => this.#control(control),
    });
    const refused = dispatched.then((wasService) => {
      if (wasService) return this.#ended.promise;
      this.#api.close();
      throw notAService(name);
    });
    const code = await Promise.race([this.#ended.promise, refused]);
    // Without this report the end of the process is the message: Windows takes it for a crash. With
    // it, nothing is waited for any more: an installer now wants to replace the executable.
    if (this.#isOrderly(code)) this.#report({ state: SERVICE_STATE.stopped, exitCode: code });
    return code;
  }

  #begin(): void {
    this.#pend(SERVICE_STATE.startPending);
    void this.#live();
  }

  async #live(): Promise<void> {
    try {
      this.#end(await this.#init.run(this.#stop.signal, () => this.#ready()));
    } catch (error) {
      log.error("Service failed", { error });
      this.#end(this.#init.exitCodeOf?.(error) ?? EXIT_INTERNAL);
    }
  }

  #ready(): void {
    if (this.#isStopping) return;
    this.#heartbeat?.cancel();
    this.#report({
      state: SERVICE_STATE.running,
      accepts: SERVICE_ACCEPT.stop | SERVICE_ACCEPT.shutdown,
    });
  }

  #control(control: number): number {
    switch (control) {
      case CONTROL.stop:
      case CONTROL.shutdown:
        this.#beginStop();
        return ANSWER.done;
      case CONTROL.interrogate:
        return ANSWER.done;
      default:
        return ANSWER.unknown;
    }
  }

  #beginStop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#pend(SERVICE_STATE.stopPending);
    // Not from inside the callback: Windows waits for it to return.
    this.#clock.after(0, () => this.#stop.abort());
  }

  #end(code: number): void {
    this.#heartbeat?.cancel();
    this.#ended.resolve(code);
  }

  /** Asked to stop, a service that stopped is no crash, whatever its code. */
  #isOrderly(code: number): boolean {
    return this.#isStopping || FINAL_EXIT_CODES.includes(code);
  }

  /** Reports a pending state at once, then a sign of life each second. */
  #pend(state: number): void {
    this.#heartbeat?.cancel();
    let checkpoint = 1;
    const beat = () => this.#report({ state, checkpoint: checkpoint++, waitHintMs: WAIT_HINT_MS });
    beat();
    this.#heartbeat = this.#clock.every(HEARTBEAT_MS, () => {
      if (checkpoint > MAX_HEARTBEATS) this.#heartbeat?.cancel();
      else beat();
    });
  }

  /** A status Windows did not take must not end a daemon that works. */
  #report(status: Pick<ServiceStatus, "state"> & Partial<ServiceStatus>): void {
    try {
      this.#api.report({ accepts: 0, exitCode: 0, checkpoint: 0, waitHintMs: 0, ...status });
    } catch (error) {
      log.error("Service state not reported", { state: status.state, error });
    }
  }
}

function notAService(name: string): DaemonError {
  return new DaemonError(
    "failed_precondition",
    `Cannot run as Windows service "${name}": this process was not started by the Service Control ` +
      `Manager (error 1063); use "almenad run" for a foreground daemon, or "sc start ${name}"`,
  );
}
