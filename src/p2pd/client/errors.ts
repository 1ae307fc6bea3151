/** What can go wrong between a program and its p2pd, contract 3.3. */
import { DaemonError, type ErrorCode } from "../../core/mod.ts";

/** Any failure of {@link P2PDaemon} or its client. */
export class P2PError extends DaemonError {
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(code, message, options);
  }
}

/** The control socket could not be read or written. */
export class IoError extends P2PError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("unavailable", message, options);
  }
}
/** The daemon's process could not be started, or ended. */
export class ProcessError extends P2PError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("failed_precondition", message, options);
  }
}
/** A message could not be decoded. */
export class ProtobufError extends P2PError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("data_loss", message, options);
  }
}
/** The daemon refused a request; the message is its own. */
export class ProtocolError extends P2PError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("aborted", message, options);
  }
}
/** The control socket could not be reached. */
export class ConnectionError extends P2PError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("unavailable", message, options);
  }
}
/** Something took too long. */
export class TimeoutError extends P2PError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("deadline_exceeded", message, options);
  }
}
/** The daemon does not run any more. */
export class NotRunningError extends P2PError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("failed_precondition", message, options);
  }
}
/** The daemon answered something else than was asked. */
export class InvalidResponseError extends P2PError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("data_loss", message, options);
  }
}
/** A stream could not be opened or served. */
export class StreamError extends P2PError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("aborted", message, options);
  }
}
/** The DHT refused or did not find. */
export class DhtError extends P2PError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("not_found", message, options);
  }
}
