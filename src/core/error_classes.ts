import type { ErrorCode } from "./errors.ts";

/** What went wrong, as the control socket tells it, contract 2.6; each with the code a client gives it. */
export const ERROR_CLASS_CODES = {
  RequestTooLarge: "resource_exhausted",
  InvalidRequest: "invalid_argument",
  HandlerNotFound: "unimplemented",
  DeserializationError: "invalid_argument",
  SerializationError: "unknown",
  OperationFailed: "failed_precondition",
  CoreUnavailable: "unavailable",
  ValidationError: "invalid_argument",
  SecurityError: "permission_denied",
  InternalError: "unknown",
} as const satisfies Readonly<Record<string, ErrorCode>>;

/** One class of contract 2.6. */
export type ErrorClass = keyof typeof ERROR_CLASS_CODES;

const CLASSES: Readonly<Partial<Record<ErrorCode, ErrorClass>>> = {
  invalid_argument: "ValidationError",
  permission_denied: "SecurityError",
  unauthenticated: "SecurityError",
  unavailable: "CoreUnavailable",
  internal: "InternalError",
};

/** The class of what an operation failed with. */
export function errorClassOf(code: ErrorCode): ErrorClass {
  return CLASSES[code] ?? "OperationFailed";
}
