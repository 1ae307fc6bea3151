import { ControlError, type ControlErrorClass, NotRunningError } from "../client/mod.ts";
import { DaemonError } from "../core/mod.ts";

/** What a finished process tells its caller, contract 2.7. A supervisor must not restart 2, 3, 5, 6. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  alreadyRunning: 3,
  notRunning: 4,
  permission: 5,
  damaged: 6,
  internal: 70,
  /** Ctrl-C, as a shell reports it. */
  interrupted: 130,
} as const;

/** What the daemon refused is no mistake of its own start, so it has codes apart. */
const REFUSALS: Readonly<Partial<Record<ControlErrorClass, number>>> = {
  InvalidRequest: EXIT.usage,
  HandlerNotFound: EXIT.usage,
  DeserializationError: EXIT.usage,
  ValidationError: EXIT.usage,
  SecurityError: EXIT.permission,
};

/** The exit code of a failure. */
export function exitCodeOf(failure: unknown): number {
  if (!(failure instanceof DaemonError)) return EXIT.internal;
  if (failure instanceof NotRunningError) return EXIT.notRunning;
  if (failure instanceof ControlError) return REFUSALS[failure.errorClass] ?? codeOf(failure);
  return codeOf(failure);
}

function codeOf(failure: DaemonError): number {
  switch (failure.code) {
    case "invalid_argument":
      return EXIT.usage;
    case "already_exists":
      return EXIT.alreadyRunning;
    case "permission_denied":
      return EXIT.permission;
    case "data_loss":
      return EXIT.damaged;
    case "internal":
      return EXIT.internal;
    default:
      return EXIT.failed;
  }
}
