import { lstat, readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { DaemonError, logger, messageOf, systemCode } from "../core/mod.ts";
import type { Register } from "./plugin.ts";

/** Plugins dropped into a folder, contract 4.1. */
export interface RuntimePluginsInit {
  /** `<config>/plugins`. */
  readonly folder: string;
  readonly isEnabled: boolean;
  /** Names of files without `.js` that are loaded; empty for all. */
  readonly list: readonly string[];
}

/** A file that holds a plugin, and what became of it. */
export interface RuntimePlugin {
  /** File name without `.js`. */
  readonly name: string;
  readonly path: string;
  readonly register?: Register;
  /** Settings, from the JSON file of the same name. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Why it was not loaded. */
  readonly refused?: string;
}

const log = logger("plugins");

/**
 * Imports the modules of the folder, in the order of their names. Files of somebody else, or that
 * others may read or write, are passed over.
 *
 * @throws {DaemonError} `failed_precondition` if a module cannot be imported or exports no
 *   `register`, or if one that is listed is not there.
 */
export async function importRuntimePlugins(init: RuntimePluginsInit): Promise<RuntimePlugin[]> {
  if (!init.isEnabled) return [];
  const names = await pluginNames(init.folder);
  const missing = init.list.find((name) => !names.includes(name));
  if (missing !== undefined) {
    const path = join(init.folder, `${missing}.js`);
    throw new DaemonError(
      "failed_precondition",
      `Cannot load plugin ${path}: there is no such file`,
    );
  }
  const wanted = names.filter((name) => init.list.length === 0 || init.list.includes(name));
  const plugins: RuntimePlugin[] = [];
  for (const name of wanted) plugins.push(await importPlugin(init.folder, name));
  return plugins;
}

async function pluginNames(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names.filter((name) => name.endsWith(".js")).map((name) => basename(name, ".js")).sort();
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return [];
    throw new DaemonError("permission_denied", `Cannot read ${folder}: ${messageOf(cause)}`, {
      cause,
    });
  }
}

async function importPlugin(folder: string, name: string): Promise<RuntimePlugin> {
  const path = join(folder, `${name}.js`);
  const refused = await reasonAgainst(folder, 0o022) ?? await reasonAgainst(path, 0o077);
  if (refused) {
    log.error("Plugin is not loaded", { path, reason: refused });
    return { name, path, refused, settings: {} };
  }
  const settings = await readSettings(join(folder, `${name}.json`));
  let module: { register?: unknown };
  try {
    module = await import(pathToFileURL(path).href);
  } catch (cause) {
    throw new DaemonError(
      "failed_precondition",
      `Cannot load plugin ${path}: ${messageOf(cause)}`,
      {
        cause,
      },
    );
  }
  if (typeof module.register !== "function") {
    throw new DaemonError(
      "failed_precondition",
      `Cannot load plugin ${path}: it exports no function "register"`,
    );
  }
  return { name, path, settings, register: module.register as Register };
}

/** Why a file must not be run: whoever can change it would run with our rights. */
async function reasonAgainst(path: string, forbidden: number): Promise<string | undefined> {
  const { uid, mode } = await lstat(path);
  const isLink = (mode & 0o170_000) === 0o120_000;
  if (isLink) return `${path} is a link; put the file itself there`;
  if (process.platform === "win32") return undefined; // rights come from the profile's folder
  if (uid !== process.getuid?.()) return `${path} belongs to another user; chown it`;
  if ((mode & forbidden) === 0) return undefined;
  const remedy = forbidden === 0o077 ? "chmod 600" : "chmod 700";
  return `others may use ${path} (mode ${(mode & 0o777).toString(8)}); run: ${remedy} ${path}`;
}

async function readSettings(path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    const settings: unknown = JSON.parse(await readFile(path, "utf8"));
    if (typeof settings === "object" && settings !== null) return settings as never;
    throw new TypeError("it holds no JSON object");
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return {};
    throw new DaemonError("failed_precondition", `Cannot read ${path}: ${messageOf(cause)}`, {
      cause,
    });
  }
}
