/** The files through which clients find the control socket, contract 2.2. */
import { chmod, lstat, mkdir, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import process from "node:process";
import {
  type ControlPlace,
  DaemonError,
  isLive,
  messageOf,
  systemCode,
  writeDurably,
} from "../../core/mod.ts";

/**
 * Makes the folder and removes what a dead daemon left. The caller owns the data folder.
 *
 * @param options.ownsFolder Whether the folder is ours alone, so that its rights are put right.
 * @throws {DaemonError} `already_exists` if a daemon answers there: a live socket is never stolen;
 *   `failed_precondition` if the path is no socket, `permission_denied` if it cannot be used.
 */
export async function clearPlace(
  place: ControlPlace,
  options: { ownsFolder: boolean },
): Promise<void> {
  try {
    const folder = dirname(place.regular);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (options.ownsFolder && process.platform !== "win32") await chmod(folder, 0o700);
    await clearSocket(place.socket);
  } catch (cause) {
    if (cause instanceof DaemonError) throw cause;
    throw cannotListen(place.socket, cause);
  }
}

/** Writes the file that leads from the regular place to the socket, if that is elsewhere. */
export async function writePathFile({ pathFile, socket }: ControlPlace): Promise<void> {
  if (pathFile) await writeDurably(pathFile, `${socket}\n`);
}

/** Writes port and token for clients on systems without Unix sockets. */
export async function writePortFile(
  { portFile }: ControlPlace,
  content: { port: number; token: string },
): Promise<void> {
  await writeDurably(portFile, `${JSON.stringify(content)}\n`);
}

/** Removes every file of the place that is there. */
export async function removePlace(place: ControlPlace): Promise<void> {
  for (const path of [place.socket, place.pathFile, place.portFile]) {
    if (path) await unlink(path).catch(ignoreMissing);
  }
}

/** What a failure to open the socket means for the operator. */
export function cannotListen(path: string, cause: unknown): DaemonError {
  const code = ["EACCES", "EPERM", "EROFS"].includes(systemCode(cause) ?? "")
    ? "permission_denied"
    : "unavailable";
  return new DaemonError(
    code,
    `Cannot open control socket ${path}: ${messageOf(cause)}` +
      "; make its folder writable for this user, or give another with --data-dir",
    { cause },
  );
}

async function clearSocket(path: string): Promise<void> {
  const stat = await lstat(path).catch(ignoreMissing);
  if (!stat) return;
  if (!stat.isSocket()) {
    throw new DaemonError(
      "failed_precondition",
      `Cannot open control socket ${path}: a file that is no socket is there; move it away`,
    );
  }
  if (await isLive(path)) {
    throw new DaemonError(
      "already_exists",
      `Cannot open control socket ${path}: already running, a daemon answers there; stop it first`,
    );
  }
  await unlink(path);
}

function ignoreMissing(failure: unknown): undefined {
  if (systemCode(failure) !== "ENOENT") throw failure;
  return undefined;
}
