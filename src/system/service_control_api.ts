/**
 * The four calls of Windows' service API that a service needs, through Deno's FFI.
 *
 * Source: winsvc.h and https://learn.microsoft.com/windows/win32/services/service-programs.
 * Nothing is opened when this file loads, so other systems can import it.
 */
import { DaemonError } from "../core/mod.ts";

/** What a service tells the Service Control Manager about itself (SERVICE_STATUS). */
export interface ServiceStatus {
  /** One of {@link SERVICE_STATE}. */
  state: number;
  /** Controls it takes now, a mask of {@link SERVICE_ACCEPT}. */
  accepts: number;
  /** The exit code of the daemon; 0 while it runs. */
  exitCode: number;
  /** Raised by one at each sign of life while a start or stop is pending, otherwise 0. */
  checkpoint: number;
  /** Longest time to the next sign of life, in milliseconds. */
  waitHintMs: number;
}

/** What the Service Control Manager calls. Both run on our thread and must return at once. */
export interface ServiceCallbacks {
  /** The service may begin: status can be reported from here on. */
  onStart(): void;
  /** A control (SERVICE_CONTROL_*) came in; answers a Windows error code, 0 for done. */
  onControl(control: number): number;
}

/** The Service Control Manager as seen from inside a service process. */
export interface ServiceControlApi {
  /**
   * Joins the Service Control Manager; resolves when it lets go of the process.
   *
   * @returns False if it never knew this process: it was not started as a service.
   */
  dispatch(serviceName: string, callbacks: ServiceCallbacks): Promise<boolean>;
  /** Reports the status; only between `onStart` and the end of `dispatch`. */
  report(status: ServiceStatus): void;
  /** Frees the callbacks; only after `dispatch` has ended, else they go with the process. */
  close(): void;
}

/** SERVICE_STATUS.dwCurrentState, winsvc.h. */
export const SERVICE_STATE = {
  stopped: 1,
  startPending: 2,
  stopPending: 3,
  running: 4,
} as const;

/** SERVICE_STATUS.dwControlsAccepted, winsvc.h. */
export const SERVICE_ACCEPT = { nothing: 0, stop: 1, shutdown: 4 } as const;

/** SERVICE_WIN32_OWN_PROCESS, winnt.h: one service in this process. */
const OWN_PROCESS = 0x10;
/** ERROR_SERVICE_SPECIFIC_ERROR, winerror.h: look into dwServiceSpecificExitCode. */
const SERVICE_SPECIFIC_ERROR = 1066;
/** Seven DWORDs, winsvc.h. */
const SERVICE_STATUS_BYTES = 28;
/** Two entries of two 64-bit pointers; the second entry, all zero, ends the table. */
const SERVICE_TABLE_BYTES = 32;

const ADVAPI32 = {
  StartServiceCtrlDispatcherW: { parameters: ["buffer"], result: "i32", nonblocking: true },
  RegisterServiceCtrlHandlerExW: {
    parameters: ["buffer", "function", "pointer"],
    result: "pointer",
  },
  SetServiceStatus: { parameters: ["pointer", "buffer"], result: "i32" },
} as const;

/** LPSERVICE_MAIN_FUNCTIONW. */
const SERVICE_MAIN = { parameters: ["u32", "pointer"], result: "void" } as const;
/** LPHANDLER_FUNCTION_EX. */
const CONTROL_HANDLER = {
  parameters: ["u32", "u32", "pointer", "pointer"],
  result: "u32",
} as const;

/**
 * Opens the service API of this machine.
 *
 * @throws {DaemonError} `unimplemented` on another system, `permission_denied` without the right to
 * call native code.
 */
export function openServiceControlApi(): ServiceControlApi {
  if (Deno.build.os !== "windows") {
    throw new DaemonError(
      "unimplemented",
      `Cannot run as a Windows service on ${Deno.build.os}: use "almenad run", or ` +
        `"almenad daemon install" for this system's own kind of service`,
    );
  }
  try {
    return new Advapi32(Deno.dlopen("advapi32.dll", ADVAPI32));
  } catch (cause) {
    throw new DaemonError(
      "permission_denied",
      "Cannot open advapi32.dll to talk to the Service Control Manager: the executable lacks " +
        "permission to call native code; use an executable from an official package",
      { cause },
    );
  }
}

/** {@link ServiceControlApi} on advapi32.dll. */
class Advapi32 implements ServiceControlApi {
  readonly #library: Deno.DynamicLibrary<typeof ADVAPI32>;
  readonly #callbacks: { close(): void }[] = [];
  #handle: Deno.PointerValue = null;

  constructor(library: Deno.DynamicLibrary<typeof ADVAPI32>) {
    this.#library = library;
  }

  async dispatch(serviceName: string, callbacks: ServiceCallbacks): Promise<boolean> {
    const name = wideString(serviceName);
    let wasStarted = false;
    // Both callbacks come on threads of Windows' own, hence threadSafe: the foreign thread waits
    // until our event loop has run the function.
    const onControl = Deno.UnsafeCallback.threadSafe(
      CONTROL_HANDLER,
      (control) => callbacks.onControl(control),
    );
    const onStart = Deno.UnsafeCallback.threadSafe(SERVICE_MAIN, () => {
      wasStarted = true;
      this.#handle = this.#library.symbols.RegisterServiceCtrlHandlerExW(
        name,
        onControl.pointer,
        null,
      );
      callbacks.onStart();
    });
    this.#callbacks.push(onControl, onStart);
    const table = new BigUint64Array(SERVICE_TABLE_BYTES / 8);
    table[0] = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(name)));
    table[1] = BigInt(Deno.UnsafePointer.value(onStart.pointer));
    // Its only failure before the first callback, with a sound table, is error 1063: not a service.
    const isJoined = await this.#library.symbols.StartServiceCtrlDispatcherW(
      new Uint8Array(table.buffer),
    );
    return isJoined !== 0 || wasStarted;
  }

  report(status: ServiceStatus): void {
    const fields = new Uint32Array(SERVICE_STATUS_BYTES / 4);
    fields.set([
      OWN_PROCESS,
      status.state,
      status.accepts,
      status.exitCode === 0 ? 0 : SERVICE_SPECIFIC_ERROR,
      status.exitCode,
      status.checkpoint,
      status.waitHintMs,
    ]);
    const isTaken = this.#library.symbols.SetServiceStatus(
      this.#handle,
      new Uint8Array(fields.buffer),
    );
    if (isTaken === 0) {
      throw new DaemonError(
        "unavailable",
        `Cannot report service state ${status.state}: the Service Control Manager refused it`,
      );
    }
  }

  close(): void {
    for (const callback of this.#callbacks.splice(0)) callback.close();
    this.#library.close();
  }
}

/** A zero-ended UTF-16LE string, as the W functions take it. */
function wideString(text: string): Uint8Array<ArrayBuffer> {
  const units = new Uint16Array(text.length + 1);
  for (let at = 0; at < text.length; at++) units[at] = text.charCodeAt(at);
  return new Uint8Array(units.buffer);
}
