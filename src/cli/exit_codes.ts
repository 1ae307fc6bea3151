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
} as const;

/** The exit code of a failure. */
export function exitCodeOf(failure: unknown): number {
  if (!(failure instanceof DaemonError)) return EXIT.internal;
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
