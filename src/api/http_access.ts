import type { Operation } from "../core/mod.ts";
import { HttpError, missingToken } from "./http_error.ts";
import type { PageSessions } from "./page_sessions.ts";

/** Carries the token of a page's session with every change. */
export const CSRF_HEADER = "x-almenad-csrf";

/** What {@link HttpAccess} uses. */
export interface HttpAccessComponents {
  /** Knows the word that lets a caller change things. */
  adminToken: { isIn(authorization: string | null | undefined): boolean };
  sessions: PageSessions;
  /** Where the HTTP door listens; browsers send one host's cookies to all of its ports. */
  port(): number;
}

/** The headers that tell what a caller may do. */
export interface AccessHeaders {
  get(name: string): string | null | undefined;
}

/** Who may change things over HTTP: whoever has the admin token, and pages that are signed in. */
export class HttpAccess {
  readonly #components: HttpAccessComponents;

  constructor(components: HttpAccessComponents) {
    this.#components = components;
  }

  /** Name of the cookie that holds a session. */
  get cookieName(): string {
    return `almenad_session_${this.#components.port()}`;
  }

  /** The cookie of this door's session; undefined if the request has none. */
  cookieOf(headers: AccessHeaders): string | undefined {
    const prefix = `${this.cookieName}=`;
    return (headers.get("cookie") ?? "").split(";").map((part) => part.trim())
      .find((part) => part.startsWith(prefix))?.slice(prefix.length);
  }

  /** A session that asks for anything is in use. */
  noticeUse(headers: AccessHeaders): void {
    this.#components.sessions.csrfOf(this.cookieOf(headers));
  }

  /**
   * Lets a change pass.
   *
   * @throws {HttpError} 401 without the admin token or a session, 403 for a session without its
   *   token or for what is the owner's alone.
   */
  check(headers: AccessHeaders, { name, isOwnersAlone }: Checked): void {
    const { adminToken, sessions } = this.#components;
    const authorization = headers.get("authorization");
    if (adminToken.isIn(authorization)) return;
    const cookie = this.cookieOf(headers);
    if (authorization || sessions.csrfOf(cookie) === undefined) throw missingToken(name);
    if (isOwnersAlone) throw refused(name, "a page may not; it needs the admin token");
    if (sessions.isToken(cookie, headers.get(CSRF_HEADER) ?? "")) return;
    throw refused(name, `the request lacks the session's token in the header ${CSRF_HEADER}`);
  }
}

type Checked = Pick<Operation, "name" | "isOwnersAlone">;

function refused(what: string, reason: string): HttpError {
  return new HttpError(403, "permission_denied", `Cannot call ${what}: ${reason}`);
}
