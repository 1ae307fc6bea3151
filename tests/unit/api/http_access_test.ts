import assert from "node:assert/strict";
import { CSRF_HEADER, HttpAccess } from "../../../src/api/http_access.ts";
import { PageSessions } from "../../../src/api/page_sessions.ts";
import { systemClock, systemRandom } from "../../../src/core/mod.ts";

const CHANGE = { name: "library.download" };
const OWNERS = { name: "page.code", isOwnersAlone: true };
const OK = "ok";

function create() {
  const sessions = new PageSessions({ clock: systemClock, random: systemRandom });
  const adminToken = { isIn: (text: string | null | undefined) => text === "Bearer right" };
  const access = new HttpAccess({ sessions, adminToken, port: () => 8080 });
  const outcome = (headers: Record<string, string>, what: typeof OWNERS | typeof CHANGE) => {
    try {
      access.check(new Headers(headers), what);
      return OK;
    } catch (failure) {
      return (failure as { status: number }).status;
    }
  };
  return { sessions, access, outcome, ...sessions.signIn(sessions.createCode().code) };
}

Deno.test("HttpAccess.check() lets the token do all, and a session with its token the changes", () => {
  const { outcome, cookie, csrf } = create();
  const session = { cookie: `a=b; almenad_session_8080=${cookie}; c=d`, [CSRF_HEADER]: csrf };
  const table: [headers: Record<string, string>, change: unknown, owners: unknown][] = [
    [{ authorization: "Bearer right" }, OK, OK],
    [session, OK, 403],
    [{}, 401, 401],
    [{ authorization: "Bearer wrong" }, 401, 401],
    [{ ...session, authorization: "Bearer wrong" }, 401, 401],
    [{ cookie: session.cookie }, 403, 403],
    [{ ...session, [CSRF_HEADER]: `${csrf}x` }, 403, 403],
    [{ [CSRF_HEADER]: csrf }, 401, 401],
    [{ ...session, cookie: `almenad_session_8081=${cookie}` }, 401, 401],
    [{ ...session, cookie: `xalmenad_session_8080=${cookie}` }, 401, 401],
    [{ ...session, cookie: `almenad_session_8080=${csrf}` }, 401, 401],
  ];
  for (const [headers, change, owners] of table) {
    const given = JSON.stringify(Object.keys(headers));
    assert.equal(outcome(headers, CHANGE), change, given);
    assert.equal(outcome(headers, OWNERS), owners, given);
  }
});
