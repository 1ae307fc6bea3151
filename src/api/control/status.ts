import {
  DaemonError,
  type ErrorClass,
  errorClassOf,
  InputError,
  toDaemonError,
  UnknownOperationError,
} from "../../core/mod.ts";

/** One answer that says what could not be done. */
export type ErrorAnswer = { Error: { [Class in ErrorClass]?: string } };

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
  return errorAnswer(errorClassOf(code), message);
}
