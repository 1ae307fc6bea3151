import { homedir } from "node:os";
import { posix, win32 } from "node:path";
import { DaemonError } from "../core/mod.ts";

/** The application id that names the data folder on every system. */
export const APPLICATION_ID = "network.almena.daemon";

/** Where everything of one daemon lives, contract 1.3. */
export interface DataDirs {
  /** Parent of the others. */
  readonly base: string;
  /** Identity, trust, library index. */
  readonly data: string;
  /** config.toml. */
  readonly config: string;
  /** daemon.log and its predecessors. */
  readonly logs: string;
  /** Lock, pid, sockets and tokens; 0700. */
  readonly daemon: string;
}

/** What the folder depends on. */
export interface DataDirsInput {
  /** `process.platform` of the system asked about. */
  platform: string;
  /** Development mode: `./workspace`. */
  isDev: boolean;
  /** `--data-dir`: wins in both modes. */
  dataDir?: string | undefined;
  env: Readonly<Record<string, string | undefined>>;
  home?: string;
  cwd: string;
}

/**
 * The folders for a system, by flags, environment and the platform's custom.
 *
 * @throws {DaemonError} `invalid_argument` for an empty `--data-dir`.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const input = { platform: "darwin", isDev: false, env: {}, home: "/Users/ada", cwd: "/" };
 * assert.equal(dataDirs(input).base, "/Users/ada/Library/Application Support/network.almena.daemon");
 * ```
 */
export function dataDirs(input: DataDirsInput): DataDirs {
  const path = input.platform === "win32" ? win32 : posix;
  const base = path.resolve(input.cwd, baseDir(input, path));
  return {
    base,
    data: path.join(base, "data"),
    config: path.join(base, "config"),
    logs: path.join(base, "logs"),
    daemon: path.join(base, "daemon"),
  };
}

function baseDir(input: DataDirsInput, path: typeof posix): string {
  if (input.dataDir === "") {
    throw new DaemonError("invalid_argument", 'Cannot use --data-dir "": it names no folder');
  }
  if (input.dataDir) return input.dataDir;
  if (input.isDev) return input.env["ALMENAD_DATA_DIR"] || path.join(input.cwd, "workspace");
  const home = input.home ?? homedir();
  if (input.platform === "darwin") {
    return path.join(home, "Library", "Application Support", APPLICATION_ID);
  }
  if (input.platform === "win32") {
    return path.join(input.env["APPDATA"] || path.join(home, "AppData", "Roaming"), APPLICATION_ID);
  }
  return path.join(
    input.env["XDG_DATA_HOME"] || path.join(home, ".local", "share"),
    APPLICATION_ID,
  );
}
