/** How requests are answered: one message, a sequence, or the whole connection. */
import type { ClientSocket } from "./client_socket.ts";
import { DaemonError, messageOf } from "../core/mod.ts";
import { RESPONSE, type ResponseFields } from "./wire/messages.ts";

/** One message. */
export interface PlainAnswer {
  readonly response: ResponseFields;
}

/** One message, then whatever follows on the connection. */
export interface LongAnswer extends PlainAnswer {
  /**
   * Uses the connection.
   *
   * @returns Whether further requests may follow on it.
   */
  follow(socket: ClientSocket): Promise<boolean>;
}

/** What a request leads to. */
export type Answer = PlainAnswer | LongAnswer;

/** Longest wait when a request names none, contract 3.2. */
export const DEFAULT_TIMEOUT_S = 60;

/** OK, with what belongs to it. */
export function ok(fields: Omit<ResponseFields, "type"> = {}): PlainAnswer {
  return { response: { type: RESPONSE.ok, ...fields } };
}

/** ERROR with a text. */
export function failed(msg: string): PlainAnswer {
  return { response: { type: RESPONSE.error, error: { msg } } };
}

/** A failure whose text goes to the client as it is. */
export function refusal(msg: string): DaemonError {
  return new DaemonError("failed_precondition", msg);
}

/** ERROR with what went wrong, in one line. */
export function failedWith(failure: unknown): PlainAnswer {
  const [line = ""] = messageOf(failure).split("\n");
  return failed(line || "unknown error");
}

/** A body that must be there. @throws {DaemonError} with the reference's text. */
export function required<T>(value: T | undefined, what = "parameters"): T {
  if (value !== undefined) return value;
  throw refusal(`Malformed request; missing ${what === "parameters" ? what : `${what} parameter`}`);
}

/** Aborts after so many seconds, or with `ended`, which must come: it ends the timer. */
export function deadlineOf(timeoutS: number | undefined, ended: AbortSignal): AbortSignal {
  const seconds = timeoutS && timeoutS > 0 ? timeoutS : DEFAULT_TIMEOUT_S;
  const controller = new AbortController();
  const expire = () =>
    controller.abort(new DaemonError("deadline_exceeded", "context deadline exceeded"));
  const timer = setTimeout(expire, Math.min(seconds * 1_000, 2 ** 31 - 1));
  const end = () => {
    clearTimeout(timer);
    controller.abort(new DaemonError("cancelled", "context canceled"));
  };
  ended.addEventListener("abort", end, { once: true });
  if (ended.aborted) end();
  return controller.signal;
}
