/**
 * Where the control socket of a daemon is, contract 2.2: known to the daemon that opens it and to
 * the clients that look for it.
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** Longest request line, in bytes without its newline, contract 2.1. */
export const MAX_LINE_BYTES = 1_048_576;
/** Clients of one daemon at once, contract 2.1. */
export const CONTROL_CONNECTIONS = 100;
/** Longest path of a socket, in bytes, that every system takes, contract 2.2. */
const MAX_PATH_BYTES = 100;

/** The files of one control socket. */
export interface ControlPlace {
  /** Where the socket is asked for. */
  readonly regular: string;
  /** Where the socket is; another place if the regular path is too long for a socket. */
  readonly socket: string;
  /** Text file in the regular place that names the socket, if that is elsewhere. */
  readonly pathFile: string | undefined;
  /** Where there are no Unix sockets: holds port and token of a listener on loopback. */
  readonly portFile: string;
}

/** What the place depends on. */
export interface ControlPlacesInput {
  /** `$XDG_RUNTIME_DIR`. */
  runtimeDir?: string | undefined;
  tempDir: string;
}

/**
 * The files of a control socket.
 *
 * @param regular The path that was asked for, such as `<base>/daemon/daemon.sock`.
 */
export function controlPlaces(
  regular: string,
  input: ControlPlacesInput = {
    runtimeDir: process.env["XDG_RUNTIME_DIR"],
    tempDir: tmpdir(),
  },
): ControlPlace {
  const stem = regular.replace(/\.sock$/, "");
  const portFile = `${stem}.port`;
  if (Buffer.byteLength(regular) <= MAX_PATH_BYTES) {
    return { regular, socket: regular, pathFile: undefined, portFile };
  }
  const hash = createHash("sha256").update(regular).digest("hex").slice(0, 12);
  const folder = input.runtimeDir || input.tempDir;
  return {
    regular,
    socket: join(folder, `almenad-${hash}.sock`),
    pathFile: `${stem}.path`,
    portFile,
  };
}
