import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { DaemonError, type DataDirs, messageOf } from "../core/mod.ts";
import type { StartedDaemon } from "./command_context.ts";

/**
 * Set for a daemon without a terminal: its log goes to the file alone, and standard error only says
 * why it could not start.
 */
export const BACKGROUND_VARIABLE = "ALMENAD_BACKGROUND";

/**
 * Starts a daemon that outlives this process and its terminal.
 *
 * @param command Program and arguments.
 * @throws {DaemonError} `permission_denied` if no file can be made for its last words.
 */
export function startInBackground(
  command: readonly string[],
  dirs: DataDirs,
  options: { cwd?: string } = {},
): StartedDaemon {
  const [program = "", ...args] = command;
  const words = join(tmpdir(), `almenad-start-${randomUUID()}.log`); // the data's disk may be full
  const { promise: ended, resolve } = Promise.withResolvers<number>();
  let file: number | undefined;
  try {
    file = openSync(words, "wx", 0o600);
    const child = spawn(program, args, {
      detached: true,
      windowsHide: true,
      stdio: ["ignore", "ignore", file],
      cwd: options.cwd ?? (process.platform === "win32" ? homedir() : "/"),
      env: { ...process.env, [BACKGROUND_VARIABLE]: "1" },
    });
    child.once("error", () => resolve(1));
    child.once("exit", (code) => resolve(code ?? 1));
    child.unref();
  } catch (cause) {
    throw new DaemonError(
      "permission_denied",
      `Cannot start almenad in ${dirs.base}: ${messageOf(cause)}; make ${tmpdir()} writable for ` +
        "this user and free disk space there",
      { cause },
    );
  } finally {
    if (file !== undefined) closeSync(file);
  }
  return {
    ended,
    lastWords: () => readFile(words, "utf8").catch(() => ""),
    forget: () => rm(words, { force: true }).catch(() => undefined),
  };
}
