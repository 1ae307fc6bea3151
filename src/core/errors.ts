/**
 * The one error that crosses folders. Codes are gRPC's, spelled in snake case
 * (https://grpc.io/docs/guides/status-codes/), so every door can translate them by table.
 */

/** Every code a {@link DaemonError} may carry. */
export const ERROR_CODES = [
  "cancelled",
  "unknown",
  "invalid_argument",
  "deadline_exceeded",
  "not_found",
  "already_exists",
  "permission_denied",
  "resource_exhausted",
  "failed_precondition",
  "aborted",
  "out_of_range",
  "unimplemented",
  "internal",
  "unavailable",
  "data_loss",
  "unauthenticated",
] as const;

/** One of {@link ERROR_CODES}. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** What could not be done, and why, with the value; the message ends without a period. */
export class DaemonError extends Error {
  override readonly name: string = "DaemonError";

  /**
   * @param code The class of failure; doors translate it to their own status.
   * @param message What could not be done, then why.
   * @param options The failure underneath, when there was one.
   */
  constructor(readonly code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
  }
}

/** The message of anything that was thrown, for log lines and wrapped errors. */
export function messageOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure);
}

/** The operating system's error name ("ENOENT", "EADDRINUSE") of a failure, if it carries one. */
export function systemCode(failure: unknown): string | undefined {
  const code = (failure as { code?: unknown } | null)?.code;
  if (typeof code === "string") return code;
  const cause = (failure as { cause?: unknown } | null)?.cause;
  return cause === undefined ? undefined : systemCode(cause);
}

/** Turns anything thrown into a {@link DaemonError}; what already is one passes through. */
export function toDaemonError(failure: unknown): DaemonError {
  if (failure instanceof DaemonError) return failure;
  if (failure instanceof Error && failure.name === "AbortError") {
    return new DaemonError("cancelled", "The call was cancelled by its caller", { cause: failure });
  }
  return new DaemonError("internal", messageOf(failure), { cause: failure });
}
