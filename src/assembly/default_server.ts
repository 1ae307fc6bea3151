/** A daemon inside another program: the same services and doors, without a command line. */
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { dataDirs, resolveConfig } from "../config/mod.ts";
import { assembleDaemon } from "../daemon.ts";
import { readIfThere } from "../load_config.ts";
import type { DaemonState } from "../operations/mod.ts";

/** A daemon that serves. */
export interface DefaultServer extends AsyncDisposable {
  /** What it tells of itself, such as where its doors are. */
  readonly state: DaemonState;
  /** Resolves when a client has asked for the end; calling {@link stop} is up to the program. */
  readonly shutDownAsked: Promise<void>;
  /** Stops in order; safe to call twice. */
  stop(): Promise<void>;
}

/**
 * Starts a daemon in this process.
 *
 * @param controlSocket Path of its control socket; `<dataDir>/daemon/daemon.sock` is the custom.
 * @param dataDir Its base folder; `config/config.toml` in it is honoured.
 * @param isNetworked Whether it joins the swarm; without, no peer can reach it.
 * @throws {AlreadyRunningError} if another daemon owns the folder.
 * @throws {DaemonError} if a door cannot be opened or the configuration makes no sense.
 */
export async function startDefaultServer(
  controlSocket: string,
  dataDir: string,
  isNetworked = false,
): Promise<DefaultServer> {
  const { platform, env } = process;
  const dirs = dataDirs({ platform, isDev: false, dataDir, env: {}, cwd: process.cwd() });
  const filePath = join(dirs.config, "config.toml");
  const file = await readIfThere(filePath);
  const config = resolveConfig({ flags: {}, env, file, filePath, isDev: false });
  const asked = Promise.withResolvers<void>();
  const path = resolve(controlSocket);
  const { service, state } = await assembleDaemon({
    dirs,
    config,
    instance: "",
    isNetworked,
    isBackground: true, // standard error is the program's own
    // A folder that others use too keeps the rights they gave it.
    ...(dirname(path) === dirs.daemon ? {} : { controlSocket: path }),
    giveUp: () => asked.resolve(),
    shutDown: () => asked.resolve(),
  });
  await service.start();
  const stop = () => service.stop();
  return { state, shutDownAsked: asked.promise, stop, [Symbol.asyncDispose]: stop };
}
