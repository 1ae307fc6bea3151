import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
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
 * @throws {DaemonError} `permission_denied` if its folder cannot be used.
 */
export function startInBackground(
  command: readonly string[],
  dirs: DataDirs,
  options: { cwd?: string } = {},
): StartedDaemon {
  const [program = "", ...args] = command;
  const words = join(dirs.daemon, "start.log");
  const { promise: ended, resolve } = Promise.withResolvers<number>();
  let file: number | undefined;
  try {
    mkdirSync(dirs.daemon, { recursive: true, mode: 0o700 });
    file = openSync(words, "w", 0o600);
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
      `Cannot start almenad in ${dirs.base}: ${messageOf(cause)}; make the folder writable for ` +
        "this user and free disk space, or give another with --data-dir",
      { cause },
    );
  } finally {
    if (file !== undefined) closeSync(file);
  }
  return { ended, lastWords: () => readFile(words, "utf8").catch(() => "") };
}
