/** Commands that are the daemon, or about its configuration and its service. Loaded on demand. */
import { readFile } from "node:fs/promises";
import { homedir, userInfo } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import {
  BACKGROUND_VARIABLE,
  configText,
  EXIT,
  exitCodeOf,
  type GlobalFlags,
  type Output,
  runForeground,
  type ServiceFlags,
  type WantedAddress,
} from "./cli/mod.ts";
import {
  type DataDirs,
  dataDirs,
  parseHostPort,
  resolveConfig,
  type ResolvedConfig,
} from "./config/mod.ts";
import { DaemonError, logger, messageOf, systemCode } from "./core/mod.ts";
import type { AssembledDaemon } from "./daemon.ts";
import { flagWords, ownProgram } from "./own_command.ts";
import type { ServiceManager } from "./system/mod.ts";

/** What programs expect behind a p2pd socket that is asked for by flag. */
const P2PD_PARTS = { dht: "server", pubsub: true, relay: true } as const;

const log = logger("cli");

/** `almenad config show`. */
export async function showConfig(
  output: Output,
  flags: GlobalFlags,
  { origin }: { origin: boolean },
): Promise<number> {
  const { config } = await loadConfig(flags);
  output.out(configText(config, { origin, format: flags.format }));
  return EXIT.ok;
}

/** `almenad run`: the daemon itself, until a signal ends it. */
export async function runDaemon(
  output: Output,
  flags: GlobalFlags,
  init: { signal?: AbortSignal; onReady?: () => void },
): Promise<number> {
  const isBackground = process.env[BACKGROUND_VARIABLE] === "1";
  delete process.env[BACKGROUND_VARIABLE];
  process.umask(0o077); // sockets and files are for this user alone, from the first moment
  guardProcess();
  const { assembleDaemon } = await import("./daemon.ts");
  const { dirs, config } = await loadConfig(flags, output);
  let daemon: AssembledDaemon | undefined;
  return await runForeground({
    output,
    assemble: async (giveUp, shutDown) => {
      const { instance } = dirs;
      daemon = await assembleDaemon({ dirs, config, instance, isBackground, giveUp, shutDown });
      return daemon;
    },
    reload: async () => daemon?.reload((await loadConfig(flags)).config),
    onReady: async () => {
      const needsPrograms = config.config.library.unpackers.length > 0;
      await pagePrepared();
      await dropPermissions(needsPrograms || (daemon?.supervisor.needsPrograms ?? false));
      init.onReady?.();
    },
  }, { format: flags.format, ...(init.signal ? { signal: init.signal } : {}) });
}

/** The daemon as a Windows service. */
export async function runAsService(output: Output, flags: GlobalFlags): Promise<number> {
  const { runWindowsService } = await import("./system/windows_service.ts");
  return await runWindowsService({
    run: (signal, onReady) => runDaemon(output, flags, { signal, onReady }),
    exitCodeOf,
  });
}

async function loadConfig(
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

/** The configuration in force, and where each value comes from. */
export async function settings(flags: GlobalFlags): Promise<ResolvedConfig> {
  return (await loadConfig(flags)).config;
}

/** Where gRPC and REST listen by configuration; for those who look for what is in the way. */
export async function wantedAddresses(flags: GlobalFlags): Promise<WantedAddress[]> {
  const { config: { config, origins } } = await loadConfig(flags);
  return ([["gRPC", "grpc_addr", "--grpc-addr"], ["REST", "rest_addr", "--rest-addr"]] as const)
    .flatMap(([door, name, flag]) => {
      const endpoint = parseHostPort(config[name]);
      const isExplicit = origins[name] !== "default";
      return endpoint ? [{ door, ...endpoint, isExplicit, flag }] : [];
    });
}

async function readIfThere(path: string): Promise<string | undefined> {
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

/** `almenad config validate`. */
export async function validateConfig(
  output: Output,
  flags: GlobalFlags,
  path: string | undefined,
): Promise<number> {
  if (path === undefined) {
    await loadConfig(flags);
  } else {
    const file = await readIfThere(path);
    if (file === undefined) {
      throw new DaemonError("not_found", `Cannot check ${path}: there is no such file`);
    }
    resolveConfig({ flags: {}, env: {}, file, filePath: path, isDev: false });
  }
  output.out(
    flags.format === "json" ? JSON.stringify({ valid: true }) : "The configuration is valid",
  );
  return EXIT.ok;
}

// A running daemon starts no program and calls no native code, so neither can whatever might break
// in. A Windows service goes on calling the Service Control Manager.
async function dropPermissions(needsPrograms: boolean): Promise<void> {
  if (process.platform === "win32") return;
  await Deno.permissions.revoke({ name: "ffi" });
  if (!needsPrograms) await Deno.permissions.revoke({ name: "run" });
}

// Where esbuild is missing, all but the page works, and the page says so.
async function pagePrepared(): Promise<void> {
  const { preparePage } = await import("./system/mod.ts");
  await preparePage().catch((error) => log.warn("Page cannot be served", { error }));
}

// Nothing a stranger sends may end the process: what slipped past every guard is logged.
function guardProcess(): void {
  process.on("uncaughtException", (error) => log.error("Uncaught exception", { error }));
  process.on("unhandledRejection", (error) => log.error("Unhandled rejection", { error }));
}

/** `almenad daemon install|uninstall|status|logs`. */
export async function serviceCommand(
  output: Output,
  verb: "install" | "uninstall" | "status" | "logs",
  flags: GlobalFlags,
  options: ServiceFlags,
): Promise<number> {
  const { planInstall, planText, planUninstall, runCommand, ServiceManager, servicePlatform } =
    await import("./system/mod.ts");
  const [executable = "", ...program] = ownProgram();
  const target = {
    platform: servicePlatform(options.platform ?? process.platform),
    executable,
    args: [...program, ...flagWords(flags)],
    home: homedir(),
    env: process.env,
    uid: Math.max(0, userInfo().uid),
  };
  if (options.dryRun && (verb === "install" || verb === "uninstall")) {
    const plan = verb === "install" ? planInstall(target) : planUninstall(target);
    output.out(flags.format === "json" ? JSON.stringify(plan) : planText(plan));
    return EXIT.ok;
  }
  const manager = new ServiceManager({ run: runCommand }, { target });
  return await manageService(output, verb, flags, options, manager);
}

async function manageService(
  output: Output,
  verb: "install" | "uninstall" | "status" | "logs",
  { format }: GlobalFlags,
  { follow }: ServiceFlags,
  manager: ServiceManager,
): Promise<number> {
  if (verb === "logs") {
    await manager.logs({ follow });
    return EXIT.ok;
  }
  if (verb === "status") {
    const status = await manager.status();
    const words = [`${status.service}: ${status.state}`, status.detail, status.remedy].filter(
      Boolean,
    );
    output.out(format === "json" ? JSON.stringify(status) : words.join("\n"));
    return status.state === "running" ? EXIT.ok : EXIT.notRunning;
  }
  const outcome = await manager[verb]();
  const words = outcome.done === "nothing" ? [] : [`almenad is ${outcome.done} as a service`];
  output.out(format === "json" ? JSON.stringify(outcome) : [...words, ...outcome.notes].join("\n"));
  return EXIT.ok;
}
