import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { checkInstanceName, DaemonError, messageOf, systemCode } from "../core/mod.ts";
import { isLocked, readPid } from "./data_lock.ts";

/** Most instances that are listed. */
export const MAX_INSTANCES = 1_024;

/** One instance of this user, contract 2.2. */
export interface Instance {
  /** Empty for the default one. */
  readonly name: string;
  readonly state: "running" | "stopped";
  /** Only of a running one. */
  readonly pid: number | undefined;
  readonly dataDir: string;
}

/**
 * Every instance that was ever started below a root: the default one first, then by name. Whether
 * one runs is told by its lock, which ends with its process however that dies.
 *
 * Instances are processes of their own, and a running daemon has given up the right to start
 * programs or to signal others; so starting and stopping them is not an operation but a command,
 * `almenad --instance <name> start` and `stop`, with the rights of the user who types it.
 *
 * @param root Folder of the default instance.
 * @throws {DaemonError} `permission_denied` if the folder of the named ones cannot be read.
 */
export async function listInstances(root: string): Promise<Instance[]> {
  const folder = join(root, "instances");
  const names = (await namesIn(folder)).sort().slice(0, MAX_INSTANCES);
  const all = await Promise.all([
    describe("", root),
    ...names.map((name) => describe(name, join(folder, name))),
  ]);
  return all.filter((one) => one !== undefined);
}

async function describe(name: string, dataDir: string): Promise<Instance | undefined> {
  const daemon = join(dataDir, "daemon");
  const isThere = await stat(daemon).then((stats) => stats.isDirectory(), () => false);
  if (!isThere) return undefined;
  const pid = readPid({ base: dataDir, daemon });
  const isRunning = pid !== undefined && isLocked({ base: dataDir, daemon });
  return {
    name,
    state: isRunning ? "running" : "stopped",
    pid: isRunning ? pid : undefined,
    dataDir,
  };
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter(isInstanceName);
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return [];
    const reason = messageOf(cause);
    throw new DaemonError("permission_denied", `Cannot list ${folder}: ${reason}`, { cause });
  }
}

function isInstanceName(name: string): boolean {
  try {
    return checkInstanceName(name) !== "";
  } catch {
    return false;
  }
}
