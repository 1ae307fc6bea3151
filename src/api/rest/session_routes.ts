import type { Context, Hono } from "hono";
import { DaemonError } from "../../core/mod.ts";
import type { HttpAccess } from "../http_access.ts";
import { HttpError } from "../http_error.ts";
import { readJsonObject } from "../json_body.ts";
import type { PageSessions } from "../page_sessions.ts";
import { SESSION_PATH } from "./session_path.ts";

/** Longest code that is looked at. */
const MAX_CODE = 256;

/** What the routes use. */
export interface SessionComponents {
  access: HttpAccess;
  sessions: PageSessions;
}

/** `POST` takes a code for a session, `GET` tells its token, `DELETE` ends it. */
export function addSessionRoutes(app: Hono, components: SessionComponents): void {
  app.post(SESSION_PATH, (context) => signIn(context, components));
  app.get(SESSION_PATH, (context) => show(context, components));
  app.delete(SESSION_PATH, (context) => signOut(context, components));
  app.all(SESSION_PATH, () => {
    const allow = "GET, POST, DELETE";
    throw new HttpError(405, "unimplemented", `Cannot use ${SESSION_PATH} so: use ${allow}`, {
      allow,
    });
  });
}

async function signIn(
  context: Context,
  { access, sessions }: SessionComponents,
): Promise<Response> {
  const { code, ...rest } = await readJsonObject(context.req.raw);
  if (typeof code !== "string" || code.length > MAX_CODE || Object.keys(rest).length > 0) {
    throw new DaemonError("invalid_argument", 'Cannot sign in: expected {"code": "…"}');
  }
  const { cookie, csrf } = sessions.signIn(code);
  sessions.end(access.cookieOf(context.req.raw.headers)); // the browser knows one at a time
  context.header("set-cookie", `${access.cookieName}=${cookie}; HttpOnly; SameSite=Strict; Path=/`);
  return context.json({ csrf });
}

function show(context: Context, { access, sessions }: SessionComponents): Response {
  const csrf = sessions.csrfOf(access.cookieOf(context.req.raw.headers));
  if (csrf !== undefined) return context.json({ csrf });
  const reason = "Cannot show the session: this browser is not signed in; run: almenad dashboard";
  throw new HttpError(401, "unauthenticated", reason);
}

function signOut(context: Context, { access, sessions }: SessionComponents): Response {
  access.check(context.req.raw.headers, { name: "session" });
  sessions.end(access.cookieOf(context.req.raw.headers));
  context.header(
    "set-cookie",
    `${access.cookieName}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0`,
  );
  return context.body(null, 204);
}
