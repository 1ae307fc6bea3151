/** Reads the configuration that command line, environment and config.toml make together. */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import process from "node:process";
import type { GlobalFlags, Output } from "./cli/mod.ts";
import { type DataDirs, dataDirs, resolveConfig, type ResolvedConfig } from "./config/mod.ts";
import { DaemonError, messageOf, systemCode } from "./core/mod.ts";

/** What programs expect behind a p2pd socket that is asked for by flag. */
const P2PD_PARTS = { dht: "server", pubsub: true, relay: true } as const;

/**
 * What flags, environment and file say.
 *
 * @param output Told of what is ignored.
 */
export async function loadConfig(
  flags: GlobalFlags,
  output?: Output,
): Promise<{ dirs: DataDirs; config: ResolvedConfig }> {
  const { env } = process;
  if (env["ALMENAD_DATA_DIR"] && !flags.dev) {
    output?.error("almenad: ALMENAD_DATA_DIR is ignored without --dev; use --data-dir");
  }
  const dirs = dataDirs({
    platform: process.platform,
    isDev: flags.dev,
    dataDir: flags.dataDir,
    instance: flags.instance,
    env,
    cwd: process.cwd(),
  });
  const filePath = join(dirs.config, "config.toml");
  const config = resolveConfig({
    flags: {
      grpc_addr: flags.grpcAddr,
      rest_addr: flags.restAddr,
      p2p_listen: flags.p2pListen,
      ...flags.p2pdListen ? P2PD_PARTS : {},
      p2pd_listen: flags.p2pdListen,
      allow_remote: flags.allowRemote,
      admin_token_file: flags.adminTokenFile && resolve(flags.adminTokenFile),
      private: flags.private,
      trust: flags.trustAutoApprove ? { auto_approve: true } : undefined,
    },
    env,
    file: await readIfThere(filePath),
    filePath,
    isDev: flags.dev,
  });
  return { dirs, config };
}

/** The text of a file; undefined if there is none. @throws {DaemonError} `permission_denied`. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    throw new DaemonError(
      "permission_denied",
      `Cannot read ${path}: ${messageOf(cause)}; make it a file that this user can read`,
      { cause },
    );
  }
}
