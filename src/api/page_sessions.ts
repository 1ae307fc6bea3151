import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import type { Clock, Random } from "../core/mod.ts";
import { HttpError } from "./http_error.ts";

/** Bytes of a code that is used once; 128 bit, so that nobody guesses it in its lifetime. */
const CODE_BYTES = 16;
/** Bytes of a session's cookie and of its token. */
const SECRET_BYTES = 32;
/** How long a code waits to be used. */
export const CODE_MS = 300_000;
/** Codes that wait at once; one more takes the place of the oldest. */
export const MAX_CODES = 16;
/** Browsers signed in at once; one more takes the place of the longest unused. */
export const MAX_SESSIONS = 32;
/** A session that sends no request for so long ends. */
export const SESSION_IDLE_MS = 86_400_000;
/** Longest session. */
export const SESSION_MS = 7 * 86_400_000;
/** Wrong codes that are answered in a burst; past that, one in {@link TRY_MS}. */
export const TRIES = 20;
/** How long one more try takes to come back. */
export const TRY_MS = 3_000;

/** A code that signs one browser in. */
export interface PageCode {
  readonly code: string;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/** What a browser gets for a code. */
export interface SignedIn {
  /** For the browser alone; no script may read it. */
  readonly cookie: string;
  /** For the page's own scripts, which send it with every change. */
  readonly csrf: string;
}

/** What {@link PageSessions} uses. */
export interface PageSessionsComponents {
  clock: Pick<Clock, "now" | "monotonic">;
  random: Pick<Random, "bytes">;
}

interface Session {
  readonly csrf: string;
  readonly since: number;
  usedAt: number;
}

/**
 * Who may use the page: codes that are used once, and the browsers that used one. Nothing of it is
 * written to disk; after a restart the owner signs in again.
 */
export class PageSessions {
  readonly #components: PageSessionsComponents;
  // By digest, so that how long a look-up takes tells nothing of a secret. Oldest first.
  readonly #codes = new Map<string, number>();
  readonly #sessions = new Map<string, Session>();
  #tries = TRIES;
  #triedAt: number;

  constructor(components: PageSessionsComponents) {
    this.#components = components;
    this.#triedAt = components.clock.monotonic();
  }

  /** Browsers that are signed in. */
  get size(): number {
    this.#dropOld();
    return this.#sessions.size;
  }

  /** Codes that could still be used. */
  get waiting(): number {
    this.#dropOld();
    return this.#codes.size;
  }

  /** Makes a code; it is for whoever asked at the owner's own socket. */
  createCode(): PageCode {
    const { clock } = this.#components;
    this.#dropOld();
    const code = this.#secret(CODE_BYTES);
    this.#codes.set(digestOf(code), clock.monotonic() + CODE_MS);
    dropFirst(this.#codes, MAX_CODES);
    return { code, expiresAtMs: clock.now() + CODE_MS };
  }

  /**
   * Takes a code for a session. A right code is taken however many wrong ones came before, so that
   * nobody can keep the owner out.
   *
   * @throws {HttpError} 401 for a code that is wrong, used or too old, without saying which; 429
   *   when too many were.
   */
  signIn(code: string): SignedIn {
    this.#dropOld();
    if (!this.#codes.delete(digestOf(code))) throw this.#refusal();
    const now = this.#components.clock.monotonic();
    const cookie = this.#secret(SECRET_BYTES);
    const csrf = this.#secret(SECRET_BYTES);
    this.#sessions.set(digestOf(cookie), { csrf, since: now, usedAt: now });
    dropFirst(this.#sessions, MAX_SESSIONS);
    return { cookie, csrf };
  }

  /** The token of a cookie's session, which counts as used now; undefined if there is none. */
  csrfOf(cookie: string | undefined): string | undefined {
    if (!cookie) return undefined;
    this.#dropOld();
    const key = digestOf(cookie);
    const session = this.#sessions.get(key);
    if (!session) return undefined;
    session.usedAt = this.#components.clock.monotonic();
    this.#sessions.delete(key);
    this.#sessions.set(key, session); // the longest unused stands first
    return session.csrf;
  }

  /** Whether a cookie's session has this token; takes as long for a wrong one as for the right. */
  isToken(cookie: string | undefined, csrf: string): boolean {
    const wanted = this.csrfOf(cookie);
    return timingSafeEqual(bytesOf(wanted ?? ""), bytesOf(csrf)) && wanted !== undefined;
  }

  /** Ends a session; nothing happens if there is none. */
  end(cookie: string | undefined): void {
    if (cookie) this.#sessions.delete(digestOf(cookie));
  }

  #secret(bytes: number): string {
    return Buffer.from(this.#components.random.bytes(bytes)).toString("base64url");
  }

  #dropOld(): void {
    const now = this.#components.clock.monotonic();
    for (const [key, until] of this.#codes) if (now >= until) this.#codes.delete(key);
    for (const [key, { since, usedAt }] of this.#sessions) {
      const isOver = now - since >= SESSION_MS || now - usedAt >= SESSION_IDLE_MS;
      if (isOver) this.#sessions.delete(key);
    }
  }

  #refusal(): HttpError {
    const now = this.#components.clock.monotonic();
    this.#tries = Math.min(TRIES, this.#tries + (now - this.#triedAt) / TRY_MS);
    this.#triedAt = now;
    if (this.#tries >= 1) {
      this.#tries--;
      const reason = "Cannot sign in: the code is wrong, used or too old; run: almenad dashboard";
      return new HttpError(401, "unauthenticated", reason);
    }
    const reason = "Cannot sign in: too many wrong codes came; wait a moment, then run: " +
      "almenad dashboard";
    return new HttpError(429, "resource_exhausted", reason, {
      "retry-after": String(Math.ceil(TRY_MS / 1_000)),
    });
  }
}

function dropFirst(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}

function digestOf(text: string): string {
  return bytesOf(text).toString("base64");
}

function bytesOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
