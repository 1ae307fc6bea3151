import { DaemonError, type ErrorCode } from "../core/mod.ts";

/** A request that HTTP has a status of its own for, besides the code every door knows. */
export class HttpError extends DaemonError {
  /**
   * @param status HTTP status.
   * @param headers Sent with the answer.
   */
  constructor(
    readonly status: number,
    code: ErrorCode,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(code, message);
  }
}

/** The answer to a change without the admin token. */
export function missingToken(what: string): HttpError {
  return new HttpError(
    401,
    "unauthenticated",
    `Cannot call ${what}: it needs the admin token, as "Authorization: Bearer <token>"` +
      "; the token is in daemon/admin_token of the data folder",
    { "www-authenticate": 'Bearer realm="almenad"' },
  );
}
