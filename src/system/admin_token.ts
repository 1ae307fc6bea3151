import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { lstat, readFile } from "node:fs/promises";
import process from "node:process";
import { DaemonError, logger, messageOf, systemCode, writeDurably } from "../core/mod.ts";

/** Random bytes of a token that we make, written as hex; contract 4.2. */
const TOKEN_BYTES = 32;
/** A token is base64url or hex text of at least 16 random bytes, and no longer than a header. */
const TOKEN_FORM = /^[A-Za-z0-9._~+/=-]{22,512}$/;

const log = logger("system");

/** The word that lets a caller change things over HTTP, reliability section 4 rule 6. */
export class AdminToken {
  readonly #text: string;
  readonly #digest: Uint8Array;

  constructor(token: string) {
    this.#text = token;
    this.#digest = digest(token);
  }

  /** The word itself; never for a log. */
  reveal(): string {
    return this.#text;
  }

  /**
   * Whether an `Authorization` header holds the token. Takes as long for a wrong one as for the
   * right one.
   */
  isIn(authorization: string | null | undefined): boolean {
    const [, given] = /^Bearer +(\S+)\s*$/i.exec(authorization ?? "") ?? [];
    return timingSafeEqual(digest(given ?? ""), this.#digest) && given !== undefined;
  }
}

/**
 * Reads the token file; makes it, for this user alone, if there is none. On a full disk the token
 * is known to nobody, so that the daemon serves everything else.
 *
 * @throws {DaemonError} `permission_denied` if others can read it, `data_loss` if it holds no
 *   token, each with what to do. A damaged token is never replaced silently.
 */
export async function loadAdminToken(path: string): Promise<AdminToken> {
  const text = await readToken(path);
  if (text !== undefined) return new AdminToken(text);
  const token = randomBytes(TOKEN_BYTES).toString("hex");
  try {
    await writeDurably(path, `${token}\n`);
  } catch (cause) {
    if (systemCode(cause) === "ENOSPC") {
      log.warn("Disk is full: nobody can change things over HTTP until a start finds room", {
        path,
      });
      return new AdminToken(token);
    }
    throw new DaemonError(
      "permission_denied",
      `Cannot write admin token ${path}: ${messageOf(cause)}; make its folder writable, or name ` +
        "another file with --admin-token-file",
      { cause },
    );
  }
  return new AdminToken(token);
}

async function readToken(path: string): Promise<string | undefined> {
  let text: string;
  try {
    const stats = await lstat(path);
    if (!stats.isFile()) throw new TypeError("it is no regular file");
    checkMode(path, stats.mode);
    text = (await readFile(path, "utf8")).trim();
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    if (cause instanceof DaemonError) throw cause;
    const reason = messageOf(cause);
    throw new DaemonError("permission_denied", `Cannot read admin token ${path}: ${reason}`, {
      cause,
    });
  }
  if (TOKEN_FORM.test(text)) return text;
  throw new DaemonError(
    "data_loss",
    `Cannot use admin token ${path}: it does not hold one line of 22 to 512 letters, digits and ` +
      "-._~+/=; remove the file to have a new one made",
  );
}

function checkMode(path: string, mode: number): void {
  if (process.platform === "win32" || (mode & 0o077) === 0) return;
  throw new DaemonError(
    "permission_denied",
    `Cannot use admin token ${path}: others can read it (mode ${(mode & 0o777).toString(8)})` +
      `; run: chmod 600 ${path}, and remove it if somebody may have read it`,
  );
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
