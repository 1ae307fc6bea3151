import { lstat, readdir, readFile, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
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

/** Largest file of settings. */
const MAX_SETTINGS_BYTES = 1_048_576;

/**
 * Imports the modules of the folder, in the order of their names. Files of somebody else, or that
 * others may read or write, are passed over; so is a folder that others could put another one in
 * place of, between the look at it and the import.
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
  if (names.length === 0) return [];
  // Links on the way are followed once, here; what is checked below is what is imported.
  const folder = join(await realpath(dirname(init.folder)), basename(init.folder));
  const wanted = names.filter((name) => init.list.length === 0 || init.list.includes(name));
  const plugins: RuntimePlugin[] = [];
  for (const name of wanted) plugins.push(await importPlugin(folder, name));
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
  const settingsPath = join(folder, `${name}.json`);
  const refused = await reasonAgainstWay(dirname(folder)) ??
    await reasonAgainst(folder, "directory", 0o022) ??
    await reasonAgainst(path, "file", 0o077) ??
    await reasonAgainst(settingsPath, "file", 0o022);
  if (refused) {
    log.error("Plugin is not loaded", { path, reason: refused });
    return { name, path, refused, settings: {} };
  }
  const settings = await readSettings(settingsPath);
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

/** Why a file must not be used: whoever can change it would run with our rights. */
async function reasonAgainst(
  path: string,
  kind: "file" | "directory",
  forbidden: number,
): Promise<string | undefined> {
  const stats = await lstat(path).catch((cause: unknown) => {
    if (systemCode(cause) !== "ENOENT") throw cause;
  });
  if (!stats) return undefined; // settings, which need not be there
  if (stats.isSymbolicLink()) return `${path} is a link; put the ${kind} itself there`;
  const isRight = kind === "file" ? stats.isFile() : stats.isDirectory();
  if (!isRight) return `${path} is no ${kind}`;
  if (process.platform === "win32") return undefined; // rights come from the profile's folder
  if (stats.uid !== process.getuid?.()) return `${path} belongs to another user; chown it`;
  if ((stats.mode & forbidden) === 0) return undefined;
  const remedy = forbidden === 0o077 ? "chmod 600" : kind === "file" ? "chmod go-w" : "chmod 700";
  return `others may use ${path} (mode ${modeOf(stats.mode)}); run: ${remedy} ${path}`;
}

/** Why the way to the folder must not be trusted: who can rename a part of it decides what is run. */
async function reasonAgainstWay(folder: string): Promise<string | undefined> {
  if (process.platform === "win32") return undefined;
  // Inside a user namespace the system's own folders belong to whom the root folder belongs to.
  const trusted = [0, process.getuid?.(), (await lstat("/")).uid];
  for (let path = folder;; path = dirname(path)) {
    const { uid, mode } = await lstat(path);
    if (!trusted.includes(uid)) return `${path}, which leads to it, belongs to another user`;
    const isSticky = (mode & 0o1000) !== 0; // what is in it can be renamed by its owner alone
    if ((mode & 0o022) !== 0 && !isSticky) {
      return `others may change ${path} (mode ${
        modeOf(mode)
      }), which leads to it; run: chmod go-w ` +
        path;
    }
    if (path === dirname(path)) return undefined;
  }
}

function modeOf(mode: number): string {
  return (mode & 0o777).toString(8);
}

async function readSettings(path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    const { size } = await lstat(path);
    if (size > MAX_SETTINGS_BYTES) throw new RangeError(`it has over ${MAX_SETTINGS_BYTES} bytes`);
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
