import { Metadata, status } from "@grpc/grpc-js";
import { type DaemonError, type ErrorCode, toDaemonError } from "../../core/mod.ts";

const STATUS: Readonly<Record<ErrorCode, status>> = {
  cancelled: status.CANCELLED,
  unknown: status.UNKNOWN,
  invalid_argument: status.INVALID_ARGUMENT,
  deadline_exceeded: status.DEADLINE_EXCEEDED,
  not_found: status.NOT_FOUND,
  already_exists: status.ALREADY_EXISTS,
  permission_denied: status.PERMISSION_DENIED,
  resource_exhausted: status.RESOURCE_EXHAUSTED,
  failed_precondition: status.FAILED_PRECONDITION,
  aborted: status.ABORTED,
  out_of_range: status.OUT_OF_RANGE,
  unimplemented: status.UNIMPLEMENTED,
  internal: status.INTERNAL,
  unavailable: status.UNAVAILABLE,
  data_loss: status.DATA_LOSS,
  unauthenticated: status.UNAUTHENTICATED,
};

/** The gRPC status of a failure; the only place where error codes become gRPC's. */
export function toStatus(
  failure: unknown,
): { code: status; details: string; metadata: Metadata } {
  const error: DaemonError = toDaemonError(failure);
  return { code: STATUS[error.code], details: error.message, metadata: new Metadata() };
}
