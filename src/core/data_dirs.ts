import { homedir } from "node:os";
import { posix, win32 } from "node:path";
import { DaemonError } from "./errors.ts";

/** The application id that names the data folder on every system. */
export const APPLICATION_ID = "network.almena.daemon";

/** Where everything of one daemon lives, contract 1.3. */
export interface DataDirs {
  /** Folder of the default instance, and of all named ones below `instances/`. */
  readonly root: string;
  /** Name of the instance; empty for the default one. */
  readonly instance: string;
  /** Parent of the others: the root, or `instances/<name>` in it. */
  readonly base: string;
  /** Identity, trust, library index. */
  readonly data: string;
  /** config.toml. */
  readonly config: string;
  /** daemon.log and its predecessors. */
  readonly logs: string;
  /** Lock, pid, sockets and tokens; 0700. */
  readonly daemon: string;
  /** The control socket's regular place, contract 2.2; always below the root. */
  readonly controlSocket: string;
}

/** What the folder depends on. */
export interface DataDirsInput {
  /** `process.platform` of the system asked about. */
  platform: string;
  /** Development mode: `./workspace`. */
  isDev: boolean;
  /** `--data-dir`: wins in both modes. */
  dataDir?: string | undefined;
  /** `--instance`: one of several daemons of this user. */
  instance?: string | undefined;
  env: Readonly<Record<string, string | undefined>>;
  home?: string;
  cwd: string;
}

/**
 * The folders for a system, by flags, environment and the platform's custom.
 *
 * @throws {DaemonError} `invalid_argument` for a name that no instance may have, and for an empty
 *   `--data-dir`.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const input = { platform: "darwin", isDev: false, env: {}, home: "/Users/ada", cwd: "/" };
 * assert.equal(dataDirs(input).base, "/Users/ada/Library/Application Support/network.almena.daemon");
 * ```
 */
export function dataDirs(input: DataDirsInput): DataDirs {
  const path = input.platform === "win32" ? win32 : posix;
  const instance = input.instance === undefined ? "" : checkInstanceName(input.instance);
  const root = path.resolve(input.cwd, rootDir(input, path));
  const base = instance ? path.join(root, "instances", instance) : root;
  return {
    root,
    instance,
    base,
    data: path.join(base, "data"),
    config: path.join(base, "config"),
    logs: path.join(base, "logs"),
    daemon: path.join(base, "daemon"),
    controlSocket: path.join(root, "daemon", instance ? `daemon-${instance}.sock` : "daemon.sock"),
  };
}

/**
 * The name itself, if a named instance may have it, contract 2.2.
 *
 * @throws {DaemonError} `invalid_argument`; nothing was touched.
 */
export function checkInstanceName(name: string): string {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(name)) return name;
  throw new DaemonError(
    "invalid_argument",
    `Cannot use instance name ${JSON.stringify(name.slice(0, 100))}: a name has 1 to 64 letters, ` +
      "digits, hyphens and underscores",
  );
}

function rootDir(input: DataDirsInput, path: typeof posix): string {
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
