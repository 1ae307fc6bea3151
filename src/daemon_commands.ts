/** Commands about the daemon's configuration and its service. Loaded on demand. */
import { homedir, userInfo } from "node:os";
import process from "node:process";
import {
  configText,
  EXIT,
  type GlobalFlags,
  type Output,
  type ServiceFlags,
  type WantedAddress,
} from "./cli/mod.ts";
import { parseHostPort, resolveConfig, type ResolvedConfig } from "./config/mod.ts";
import { DaemonError } from "./core/mod.ts";
import { loadConfig, readIfThere } from "./load_config.ts";
import { flagWords, ownProgram } from "./own_command.ts";
import type { ServiceManager } from "./system/mod.ts";

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
