import assert from "node:assert/strict";
import {
  CODE_MS,
  MAX_CODES,
  MAX_SESSIONS,
  PageSessions,
  SESSION_IDLE_MS,
  SESSION_MS,
  TRIES,
  TRY_MS,
} from "../../../src/api/page_sessions.ts";
import { systemRandom } from "../../../src/core/mod.ts";
import { FakeClock } from "../../support/fake_clock.ts";

function create() {
  const clock = new FakeClock();
  return { clock, sessions: new PageSessions({ clock, random: systemRandom }) };
}

const WRONG = { status: 401, code: "unauthenticated" };

Deno.test("PageSessions.signIn() takes a code once, and refuses all others in the same words", async () => {
  const { clock, sessions } = create();
  const used = sessions.createCode().code;
  const { cookie, csrf } = sessions.signIn(used);
  assert.equal(sessions.csrfOf(cookie), csrf);
  const old = sessions.createCode().code;
  await clock.advance(CODE_MS);
  const words = new Set<string>();
  for (const code of [used, old, "", "AAAAAAAAAAAAAAAAAAAAAA", `${used}A`]) {
    assert.throws(() => sessions.signIn(code), (failure: Error) => {
      words.add(failure.message);
      return Object.entries(WRONG).every(([k, v]) => (failure as never)[k] === v);
    });
  }
  assert.equal(words.size, 1);
});

Deno.test("PageSessions.createCode() is 128 bit that differ, and tells when it ends", async () => {
  const { clock, sessions } = create();
  const { code, expiresAtMs } = sessions.createCode();
  assert.match(code, /^[\w-]{22}$/);
  assert.equal(expiresAtMs, clock.now() + CODE_MS);
  assert.notEqual(sessions.createCode().code, code);
  await clock.advance(CODE_MS - 1);
  sessions.signIn(code);
});

Deno.test("PageSessions keeps the newest 16 of 10,000 codes", () => {
  const { sessions } = create();
  const codes = Array.from({ length: 10_000 }, () => sessions.createCode().code);
  assert.equal(new Set(codes).size, codes.length);
  assert.equal(sessions.waiting, MAX_CODES);
  assert.throws(() => sessions.signIn(codes.at(-MAX_CODES - 1) ?? ""), WRONG);
  for (const code of codes.slice(-MAX_CODES)) sessions.signIn(code);
  assert.equal(sessions.waiting, 0);
});

Deno.test("PageSessions answers a guesser ever more slowly, and the owner at once", async () => {
  const { clock, sessions } = create();
  const { code } = sessions.createCode();
  const statuses = Array.from({ length: 10_000 }, (_, n) => {
    try {
      sessions.signIn(`guess ${n}`);
      return 200;
    } catch (failure) {
      return (failure as { status: number }).status;
    }
  });
  assert.deepEqual(statuses.slice(0, TRIES), Array(TRIES).fill(401));
  assert.ok(statuses.slice(TRIES).every((status) => status === 429));
  sessions.signIn(code);
  await clock.advance(TRY_MS);
  assert.throws(() => sessions.signIn("another"), WRONG);
  assert.throws(() => sessions.signIn("another"), { status: 429 });
});

Deno.test("PageSessions ends a session that is unused for a day, and any after a week", async () => {
  const { clock, sessions } = create();
  const idle = sessions.signIn(sessions.createCode().code).cookie;
  const used = sessions.signIn(sessions.createCode().code).cookie;
  const steps = SESSION_MS / (SESSION_IDLE_MS / 2);
  for (let step = 1; step < steps; step++) {
    await clock.advance(SESSION_IDLE_MS / 2);
    assert.ok(sessions.csrfOf(used), `step ${step}`);
    if (step >= 2) assert.equal(sessions.csrfOf(idle), undefined);
  }
  await clock.advance(SESSION_IDLE_MS / 2);
  assert.equal(sessions.csrfOf(used), undefined);
  assert.equal(sessions.size, 0);
});

Deno.test("PageSessions makes room by ending the session that is unused longest", () => {
  const { sessions } = create();
  const cookies = Array.from(
    { length: MAX_SESSIONS },
    () => sessions.signIn(sessions.createCode().code).cookie,
  );
  assert.ok(sessions.csrfOf(cookies[0])); // so that the second is the longest unused
  sessions.signIn(sessions.createCode().code);
  assert.equal(sessions.size, MAX_SESSIONS);
  assert.ok(sessions.csrfOf(cookies[0]));
  assert.equal(sessions.csrfOf(cookies[1]), undefined);
});

Deno.test("PageSessions.isToken() is true for the session's own token alone", () => {
  const { sessions } = create();
  const [one, two] = [1, 2].map(() => sessions.signIn(sessions.createCode().code));
  assert.ok(sessions.isToken(one?.cookie, one?.csrf ?? ""));
  for (const csrf of ["", "undefined", two?.csrf ?? "", `${one?.csrf}=`]) {
    assert.equal(sessions.isToken(one?.cookie, csrf), false, csrf);
  }
  for (const cookie of [undefined, "", "nobody"]) {
    assert.equal(sessions.isToken(cookie, ""), false);
  }
  sessions.end(one?.cookie);
  sessions.end(one?.cookie);
  assert.equal(sessions.isToken(one?.cookie, one?.csrf ?? ""), false);
});
