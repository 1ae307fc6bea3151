import {
  DaemonError,
  type ErrorCode,
  InputError,
  toDaemonError,
  UnknownOperationError,
} from "../../core/mod.ts";

/** What went wrong, as clients of the control socket read it, contract 2.6. */
export type ErrorClass =
  | "RequestTooLarge"
  | "InvalidRequest"
  | "HandlerNotFound"
  | "DeserializationError"
  | "SerializationError"
  | "OperationFailed"
  | "CoreUnavailable"
  | "ValidationError"
  | "SecurityError"
  | "InternalError";

/** One answer that says what could not be done. */
export type ErrorAnswer = { Error: { [Class in ErrorClass]?: string } };

const CLASSES: Readonly<Record<ErrorCode, ErrorClass>> = {
  cancelled: "OperationFailed",
  unknown: "OperationFailed",
  invalid_argument: "ValidationError",
  deadline_exceeded: "OperationFailed",
  not_found: "OperationFailed",
  already_exists: "OperationFailed",
  permission_denied: "SecurityError",
  resource_exhausted: "OperationFailed",
  failed_precondition: "OperationFailed",
  aborted: "OperationFailed",
  out_of_range: "OperationFailed",
  unimplemented: "OperationFailed",
  internal: "InternalError",
  unavailable: "CoreUnavailable",
  data_loss: "OperationFailed",
  unauthenticated: "SecurityError",
};

/** An answer of one class. */
export function errorAnswer(errorClass: ErrorClass, text: string): ErrorAnswer {
  return { Error: { [errorClass]: text } };
}

/** A request that cannot be served as it stands. */
export class RequestError extends DaemonError {
  constructor(readonly errorClass: ErrorClass, message: string) {
    super("invalid_argument", message);
  }
}

/** The answer to a failure; the only place where error codes become classes of the socket. */
export function toErrorAnswer(failure: unknown): ErrorAnswer {
  if (failure instanceof RequestError) return errorAnswer(failure.errorClass, failure.message);
  if (failure instanceof UnknownOperationError) {
    return errorAnswer("HandlerNotFound", failure.operation);
  }
  if (failure instanceof InputError) return errorAnswer("DeserializationError", failure.message);
  const { code, message } = toDaemonError(failure);
  return errorAnswer(CLASSES[code], message);
}
