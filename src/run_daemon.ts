/**
 * `almenad run`: the daemon itself. All it needs to open its doors is imported here, in one go,
 * because the runtime keeps compiled code only of what the first `import()` of a program reaches.
 */
import process from "node:process";
import {
  BACKGROUND_VARIABLE,
  exitCodeOf,
  type GlobalFlags,
  type Output,
  runForeground,
} from "./cli/mod.ts";
import { logger } from "./core/mod.ts";
import { assembleDaemon, type AssembledDaemon } from "./daemon.ts";
import { loadConfig } from "./load_config.ts";
import { flagWords } from "./own_command.ts";
import { noteFlags, versionInfo } from "./system/mod.ts";

const log = logger("cli");

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
  const { dirs, config } = await loadConfig(flags, output);
  let daemon: AssembledDaemon | undefined;
  return await runForeground({
    output,
    assemble: async (giveUp, shutDown) => {
      const { instance } = dirs;
      daemon = await assembleDaemon({ dirs, config, instance, isBackground, giveUp, shutDown });
      await noteFlags(dirs, flagWords(flags));
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

// A running daemon starts no program and calls no native code, so neither can whatever might break
// in. A Windows service goes on calling the Service Control Manager.
async function dropPermissions(needsPrograms: boolean): Promise<void> {
  if (process.platform === "win32") return;
  await Deno.permissions.revoke({ name: "ffi" });
  if (!needsPrograms) await Deno.permissions.revoke({ name: "run" });
}

// An executable carries the page. Where esbuild is missing, all but the page works, and it says so.
async function pagePrepared(): Promise<void> {
  if (versionInfo().commit !== "") return;
  const { preparePage } = await import("./system/assets.ts");
  await preparePage().catch((error) => log.warn("Page cannot be served", { error }));
}

// Nothing a stranger sends may end the process: what slipped past every guard is logged.
function guardProcess(): void {
  process.on("uncaughtException", (error) => log.error("Uncaught exception", { error }));
  process.on("unhandledRejection", (error) => log.error("Unhandled rejection", { error }));
}
