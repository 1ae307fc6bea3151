import { parse, TomlError } from "smol-toml";
import type * as z from "zod";
import { DaemonError, messageOf } from "../core/mod.ts";
import { type Config, ConfigFile, DEFAULTS } from "./schema.ts";
import { textProblem } from "./text_problem.ts";

/** Where a value came from. */
export type Origin = "flag" | "environment" | "file" | "default";

/** What each source says; missing means silent. */
export interface ConfigSources {
  flags: Readonly<Record<string, unknown>>;
  env: Readonly<Record<string, string | undefined>>;
  /** Text of config.toml, or undefined when there is none. */
  file?: string | undefined;
  /** Shown in errors. */
  filePath: string;
  isDev: boolean;
}

/** A configuration and the source of each of its fields, by dotted name. */
export interface ResolvedConfig {
  readonly config: Config;
  readonly origins: Readonly<Record<string, Origin>>;
}

const ENVIRONMENT: Readonly<Record<string, string>> = {
  GRPC_ADDR: "grpc_addr",
  REST_ADDR: "rest_addr",
  P2P_LISTEN: "p2p_listen",
  BOOTSTRAP_PEERS: "bootstrap_peers",
  RUST_LOG: "log",
};

/**
 * Joins all sources: flag > environment > file > default, contract 1.2.
 *
 * @throws {DaemonError} `invalid_argument`, naming the flag, variable or line and what is expected.
 */
export function resolveConfig(sources: ConfigSources): ResolvedConfig {
  const file = sources.file === undefined ? {} : parseConfigFile(sources.file, sources.filePath);
  const env = fromEnvironment(sources.env);
  const flags = Object.fromEntries(
    Object.entries(sources.flags).filter(([, v]) => v !== undefined),
  );
  checkPart(env, "the environment");
  checkPart(flags, "the flags");
  const log = sources.isDev ? { log: "debug" } : {};
  // Each part was checked, so nothing else than a configuration can come of them.
  const config = [log, file, env, flags].reduce(mergeTables, structuredClone(DEFAULTS)) as Config;
  const origins = Object.fromEntries(
    leafNames(config).map((name) => [name, originOf(name, flags, env, file)]),
  );
  return { config, origins };
}

// A flag may set one field of a table and leave the others to the file.
function mergeTables(
  under: Record<string, unknown>,
  over: Record<string, unknown>,
): Record<string, unknown> {
  const merged = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isTable(below) && isTable(value) ? mergeTables(below, value) : value;
  }
  return merged;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Reads the text of config.toml.
 *
 * @throws {DaemonError} `data_loss` with file, line and what is wrong.
 */
export function parseConfigFile(text: string, path: string): Record<string, unknown> {
  let table: Record<string, unknown>;
  try {
    table = parse(text);
  } catch (failure) {
    const place = failure instanceof TomlError ? `:${failure.line}:${failure.column}` : "";
    const [reason] = messageOf(failure).split("\n");
    throw new DaemonError("data_loss", `Cannot read ${path}${place}: ${reason}`);
  }
  const checked = ConfigFile().safeParse(table);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    throw new DaemonError("data_loss", describeIssue(issue, text, path));
  }
  return table;
}

function fromEnvironment(env: ConfigSources["env"]): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [variable, field] of Object.entries(ENVIRONMENT)) {
    if (env[variable]) values[field] = env[variable];
  }
  return values;
}

// Command line and environment give text; what is no text comes from us.
function checkPart(values: Record<string, unknown>, source: string): void {
  for (const [field, value] of Object.entries(values)) {
    const problem = typeof value === "string" ? textProblem(field, value) : undefined;
    if (problem === undefined) continue;
    const variable = Object.entries(ENVIRONMENT).find(([, name]) => name === field)?.[0];
    const name = source === "the environment" ? variable : `--${field.replaceAll("_", "-")}`;
    throw new DaemonError(
      "invalid_argument",
      `Cannot use ${name} "${value}" from ${source}: ${problem}`,
    );
  }
}

function describeIssue(issue: z.core.$ZodIssue | undefined, text: string, path: string): string {
  const isUnknown = issue?.code === "unrecognized_keys";
  const keys = isUnknown ? [...issue.path, issue.keys[0] ?? ""] : issue?.path ?? [];
  const line = lineOfKey(text, String(keys.at(-1)));
  const reason = isUnknown ? "unknown key" : issue?.message;
  return `Cannot use ${path}${line ? `:${line}` : ""}: ${reason} at "${keys.join(".")}"; ` +
    (isUnknown ? "correct or remove it" : "correct it");
}

function lineOfKey(text: string, key: string): number | undefined {
  const isKey = (line: string) =>
    new RegExp(`^\\s*\\[?\\s*"?${escape(key)}"?\\s*[\\]=.]`).test(line);
  const index = text.split("\n").findIndex(isKey);
  return index < 0 ? undefined : index + 1;
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function leafNames(value: object, prefix = ""): string[] {
  return Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? leafNames(inner, `${prefix}${key}.`)
      : [`${prefix}${key}`]
  );
}

function originOf(name: string, ...sources: Record<string, unknown>[]): Origin {
  const order: Origin[] = ["flag", "environment", "file"];
  const index = sources.findIndex((source) => hasPath(source, name.split(".")));
  return order[index] ?? "default";
}

function hasPath(value: unknown, [key, ...rest]: string[]): boolean {
  if (key === undefined) return value !== undefined;
  if (typeof value !== "object" || value === null) return false;
  return hasPath((value as Record<string, unknown>)[key], rest);
}
