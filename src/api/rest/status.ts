import type { ErrorCode } from "../../core/mod.ts";

/** HTTP status by error code, as google.rpc.Code maps them. */
const STATUS: Readonly<Record<ErrorCode, number>> = {
  cancelled: 499,
  unknown: 500,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 400,
  aborted: 409,
  out_of_range: 400,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  data_loss: 500,
  unauthenticated: 401,
};

/** The HTTP status of an error code; the only place where codes become HTTP's. */
export function toHttpStatus(code: ErrorCode): number {
  return STATUS[code];
}
