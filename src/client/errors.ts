import {
  DaemonError,
  ERROR_CLASS_CODES,
  type ErrorClass,
  type ErrorCode,
  messageOf,
  systemCode,
} from "../core/mod.ts";

/** Classes of contract 2.6 that come from this side of the socket; the others are the daemon's. */
const OWN_CODES = {
  ConnectionFailed: "unavailable",
  ReadError: "unavailable",
  WriteError: "unavailable",
} as const satisfies Readonly<Record<string, ErrorCode>>;

/** What went wrong, contract 2.6. */
export type ControlErrorClass = keyof typeof OWN_CODES | ErrorClass;

/** A request that the daemon refused, or that did not get through to it. */
export class ControlError extends DaemonError {
  constructor(
    code: ErrorCode,
    readonly errorClass: ControlErrorClass,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(code, message, options);
  }
}

/** Nobody serves the socket. */
export class NotRunningError extends ControlError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("unavailable", "ConnectionFailed", message, options);
  }
}

const CODES: Readonly<Record<ControlErrorClass, ErrorCode>> = {
  ...OWN_CODES,
  ...ERROR_CLASS_CODES,
};

/** The error in an answer, or undefined if the answer holds none. */
export function errorIn(answer: unknown): ControlError | undefined {
  const error = (answer as { Error?: unknown } | null)?.Error;
  if (typeof error !== "object" || error === null) return undefined;
  const [[name, text] = ["InternalError", "no reason given"]] = Object.entries(error);
  const errorClass = Object.hasOwn(CODES, name) ? name as ControlErrorClass : "InternalError";
  const message = errorClass === "HandlerNotFound"
    ? `Cannot call "${text}": the daemon knows no such operation; almenad call lists them`
    : String(text);
  return new ControlError(CODES[errorClass], errorClass, message);
}

/** What a failure to open the socket means, and what to do. */
export function connectionFailure(place: string, start: string, cause: unknown): ControlError {
  const code = systemCode(cause);
  if (code === "ENOENT") {
    return new NotRunningError(
      `Cannot reach almenad: daemon not running, nothing is at ${place}; start it with "${start}"`,
      { cause },
    );
  }
  if (code === "ECONNREFUSED" || code === "ECONNRESET") {
    return new NotRunningError(
      `Cannot reach almenad: daemon not accepting connections at ${place}; it may have died, ` +
        `start it with "${start}"`,
      { cause },
    );
  }
  if (code === "EACCES" || code === "EPERM") {
    return new ControlError(
      "permission_denied",
      "ConnectionFailed",
      `Cannot reach almenad: permission denied at ${place}; only the user who runs the daemon ` +
        "may use it, so run the command as that user",
      { cause },
    );
  }
  const remedy = "is the data folder the right one? almenad doctor looks for what is wrong";
  return new ControlError(
    "unavailable",
    "ConnectionFailed",
    `Cannot reach almenad at ${place}: ${messageOf(cause)}; ${remedy}`,
    { cause },
  );
}

/** The connection ended under a request. */
export function connectionLost(place: string, wasSent: boolean, cause?: unknown): ControlError {
  const outcome = wasSent ? "before it answered, so what was asked may have happened or not" : "";
  return new ControlError(
    "unavailable",
    wasSent ? "ReadError" : "WriteError",
    `Lost the connection to almenad at ${place} ${outcome}`.trimEnd() +
      '; see how it fares with "almenad status"',
    { cause },
  );
}
