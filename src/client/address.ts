import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import process from "node:process";
import { type ControlPlace, controlPlaces, type DataDirs, dataDirs } from "../core/mod.ts";
import { connectionFailure } from "./errors.ts";

/** Which daemon is meant; without any field the default one of this user. */
export interface DaemonChoice {
  /** Name of an instance. */
  readonly instance?: string | undefined;
  /** Folder of the default instance, as the daemon's `--data-dir`. */
  readonly dataDir?: string | undefined;
  /** Whether the daemon runs with `--dev`. @default {false} */
  readonly isDev?: boolean | undefined;
  /** Path of its socket, in place of all the others. */
  readonly socket?: string | undefined;
  /** Loopback TCP and a token in place of a Unix socket. @default {only on Windows} */
  readonly usesTcp?: boolean | undefined;
}

/** Where a daemon is and what belongs to it. */
export interface DaemonPlace {
  readonly place: ControlPlace;
  /** Absent if only the socket is known. */
  readonly dirs: DataDirs | undefined;
  /** The command that starts this daemon. */
  readonly startCommand: string;
  readonly usesTcp: boolean;
}

/** What to connect to. */
export type Endpoint =
  | { readonly path: string }
  | { readonly host: string; readonly port: number; readonly token: string };

/**
 * Finds the places of a daemon; reads no file.
 *
 * @throws {DaemonError} `invalid_argument` for a name that no instance may have.
 */
export function findDaemon(choice: DaemonChoice): DaemonPlace {
  const flags = [
    ...(choice.isDev ? ["--dev"] : []),
    ...(choice.dataDir ? ["--data-dir", choice.dataDir] : []),
    ...(choice.instance === undefined ? [] : ["--instance", choice.instance]),
  ];
  const startCommand = ["almenad", ...flags, "start"].join(" ");
  const usesTcp = choice.usesTcp ?? process.platform === "win32";
  if (choice.socket !== undefined) {
    return { place: controlPlaces(resolve(choice.socket)), dirs: undefined, startCommand, usesTcp };
  }
  const dirs = dataDirs({
    platform: process.platform,
    isDev: choice.isDev ?? false,
    dataDir: choice.dataDir,
    instance: choice.instance,
    env: process.env,
    cwd: process.cwd(),
  });
  return { place: controlPlaces(dirs.controlSocket), dirs, startCommand, usesTcp };
}

/**
 * Where the daemon listens now, contract 2.2: its socket, the socket that a `.path` file names, or
 * port and token of a `.port` file.
 *
 * @throws {ControlError} if a file that must be read is not there or cannot be.
 */
export async function endpointOf(
  { place, startCommand, usesTcp }: Omit<DaemonPlace, "dirs">,
): Promise<Endpoint> {
  try {
    if (usesTcp) return portEndpoint(await readFile(place.portFile, "utf8"));
    if (!place.pathFile) return { path: place.socket };
    const named = (await readFile(place.pathFile, "utf8")).trim();
    return { path: resolve(named) };
  } catch (cause) {
    throw connectionFailure(place.regular, startCommand, cause);
  }
}

function portEndpoint(text: string): Endpoint {
  const { port, token } = JSON.parse(text) as { port: number; token: string };
  return { host: "127.0.0.1", port, token };
}
