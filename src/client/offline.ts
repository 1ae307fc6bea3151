/** What can be told of a daemon that does not run, from what it left on disk, contract 2.6. */
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DaemonError, type DataDirs, messageOf, systemCode } from "../core/mod.ts";
import type { OutputOf } from "./types.ts";

type Version = OutputOf<"query", "core.version">;
type Output = Record<string, unknown> & { readonly offline: true };

/** What the asking program knows itself. */
export interface OfflineInit {
  readonly dirs: DataDirs;
  /** Of the installed program, if that asks. */
  readonly version?: Version | undefined;
}

/** One line of `daemon.log`. */
export interface LogLine {
  readonly timestamp: string;
  readonly level: string;
  readonly target: string;
  readonly message: string;
  readonly [property: string]: unknown;
}

/** Bytes of the log's end that are searched for its last lines. */
const LOG_TAIL_BYTES = 4 * 1_024 * 1_024;

/** The answer from disk, or undefined if the question has none. */
export async function answerOffline(
  method: string,
  init: OfflineInit,
): Promise<Output | undefined> {
  switch (method) {
    case "query:core.status.v1":
      return offlineStatus(init);
    case "query:core.version.v1":
      return init.version && { ...init.version, offline: true };
    case "query:libraries.list.v1":
      return { libraries: await librariesOnDisk(init.dirs), offline: true };
    default:
      return undefined;
  }
}

function offlineStatus({ dirs, version }: OfflineInit): Output {
  const status: OutputOf<"query", "core.status"> = {
    status: "degraded",
    version: version?.version ?? "",
    ...{ grpc_addr: "", rest_addr: "", peer_id: "", uptime_s: 0, pid: 0 },
    instance: dirs.instance,
    data_dir: dirs.base,
    ...{ grpc_addrs: [], p2p_addrs: [], control_addr: "", counters: {} },
    health: [{
      component: "daemon",
      serving: false,
      problem: "daemon not running",
      remedy: "almenad start",
    }],
  };
  return { ...status, offline: true };
}

async function librariesOnDisk({ data }: DataDirs): Promise<unknown[]> {
  const path = join(data, "libraries.json");
  try {
    const { libraries } = JSON.parse(await readFile(path, "utf8")) as {
      libraries: { id: string; name: string; dir: string; is_open: boolean }[];
    };
    return libraries.map(({ id, name, dir, is_open }) => ({ id, name, dir, is_open }));
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return [];
    throw new DaemonError("data_loss", `Cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
}

/**
 * The last lines of `daemon.log`, oldest first; it is there whether or not the daemon runs.
 *
 * @param accepts Which lines count. @default {all}
 * @throws {DaemonError} `permission_denied` if the file cannot be read.
 */
export async function lastLogLines(
  { logs }: DataDirs,
  count: number,
  accepts: (line: LogLine) => boolean = () => true,
): Promise<LogLine[]> {
  const path = join(logs, "daemon.log");
  try {
    const lines = (await tailOf(path)).split("\n").flatMap(parseLogLine).filter(accepts);
    return lines.slice(Math.max(0, lines.length - count));
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return [];
    throw new DaemonError(
      "permission_denied",
      `Cannot read ${path}: ${messageOf(cause)}; read it as the user who runs the daemon`,
      { cause },
    );
  }
}

async function tailOf(path: string): Promise<string> {
  await using file = await open(path);
  const { size } = await file.stat();
  const start = Math.max(0, size - LOG_TAIL_BYTES);
  const bytes = new Uint8Array(size - start);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
  return new TextDecoder().decode(bytes.subarray(0, bytesRead));
}

// A cut first line, or one that a crash left half written, is no line.
function parseLogLine(text: string): LogLine[] {
  try {
    return [JSON.parse(text) as LogLine];
  } catch {
    return [];
  }
}
