import { isIPv4, isIPv6 } from "node:net";
import { parse, TomlError } from "smol-toml";
import * as z from "zod";
import { DaemonError, interpretSchemas, messageOf } from "../core/mod.ts";
import { parseLogFilter } from "./log_filter.ts";

/** gRPC listener of the original; 127.0.0.1 is bound beside it, contract 1.2. */
export const DEFAULT_GRPC_ADDR = "[::1]:50051";
/** REST listener, contract 1.2. */
export const DEFAULT_REST_ADDR = "127.0.0.1:8080";
/** Swarm listeners, contract 1.2. */
export const DEFAULT_P2P_LISTEN = "/ip4/0.0.0.0/tcp/0,/ip6/::/tcp/0";
/** JSON form of the online geolocation service, contract 1.1. */
export const DEFAULT_GEOLOCATION_URL = "https://ipapi.co/json/";

interpretSchemas();

const HostPort = z.string().refine((text) => parseHostPort(text) !== undefined, {
  error: 'expected "host:port", such as 127.0.0.1:8080 or [::1]:50051',
});
const ListenAddresses = z.string().refine(isListenList, {
  error: "expected TCP multiaddrs, comma-separated, such as " +
    "/ip4/0.0.0.0/tcp/4001,/ip6/::/tcp/4001",
});
const Filter = z.string().superRefine((text, context) => {
  try {
    parseLogFilter(text);
  } catch (failure) {
    context.addIssue({ code: "custom", message: messageOf(failure) });
  }
});

const BytesPerSecond = z.number().int().min(0).default(0).describe(
  "Bytes a second, 0 for no limit",
);

/** Everything that can be configured, with its defaults; the schema of config.toml. */
export const ConfigSchema = z.strictObject({
  grpc_addr: HostPort.default(DEFAULT_GRPC_ADDR),
  rest_addr: HostPort.default(DEFAULT_REST_ADDR),
  p2p_listen: ListenAddresses.default(DEFAULT_P2P_LISTEN),
  bootstrap_peers: z.string().default(""),
  p2pd_listen: z.string().default("").describe(
    "Control multiaddr of the p2pd socket; off if empty",
  ),
  dht: z.enum(["off", "client", "server"]).default("off"),
  pubsub: z.boolean().default(false),
  relay: z.boolean().default(false).describe("Use relays, punch holes, and be a relay for others"),
  relays: z.string().default("").describe(
    "With relay: hold places at two of these, multiaddrs with /p2p/…, comma-separated",
  ),
  log: Filter.default("info"),
  allow_remote: z.boolean().default(false),
  admin_token_file: z.string().default("").describe("daemon/admin_token when empty"),
  private: z.boolean().default(false).describe("untrusted peers get the handshake only"),
  trust: z.strictObject({
    auto_approve: z.boolean().default(false),
    allow: z.array(
      z.string().regex(/^([^=]{1,64}=)?[1-9A-HJ-NP-Za-km-z]{40,128}$/, {
        error: 'expected a peer id, or "name=<peer id>"',
      }),
    ).default([]),
  }).prefault({}),
  webhook: z.strictObject({
    url: z.union([z.literal(""), z.url({ protocol: /^https?$/ })]).default(""),
    secret: z.string().max(1_024).default(""),
  }).prefault({}),
  plugins: z.strictObject({
    enabled: z.boolean().default(false).describe("load the modules of config/plugins"),
    list: z.array(z.string().regex(/^[A-Za-z0-9._-]{1,64}$/)).default([])
      .describe("their names without .js; all when empty"),
  }).prefault({}),
  geolocation: z.strictObject({
    url: z.url({ protocol: /^https?$/ }).default(DEFAULT_GEOLOCATION_URL),
    share: z.boolean().default(true),
  }).prefault({}),
  library: z.strictObject({
    dir: z.string().default("").describe("<data folder>/library when empty"),
    private: z.boolean().default(false).describe("Only trusted peers"),
    upload_limit: BytesPerSecond,
    upload_limit_per_peer: BytesPerSecond,
    download_limit: BytesPerSecond,
    download_limit_per_peer: BytesPerSecond,
    unpackers: z.array(z.strictObject({
      extensions: z.array(z.string().regex(/^\.\S+$/)).min(1),
      command: z.array(z.string()).min(1),
    })).default([]).describe("Programs for archives: {archive} and {target} stand for paths"),
  }).prefault({}),
});

/** A complete configuration. */
export type Config = z.output<typeof ConfigSchema>;

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
  const config = ConfigSchema.parse([log, file, env, flags].reduce(mergeTables));
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
  const checked = ConfigSchema.safeParse(table);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    throw new DaemonError("data_loss", describeIssue(issue, text, path));
  }
  return table;
}

/** Splits `host:port`; brackets around IPv6. Undefined when it is neither. */
export function parseHostPort(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (!host || !Number.isInteger(port) || port > 65_535) return undefined;
  return { host, port };
}

function isListenList(text: string): boolean {
  const addresses = text.split(",").map((address) => address.trim()).filter(Boolean);
  return addresses.length > 0 && addresses.every(isListenAddress);
}

function isListenAddress(address: string): boolean {
  const match = /^(?:\/ip6zone\/[^/]+)?\/(ip4|ip6)\/([^/]+)\/tcp\/(\d{1,5})$/.exec(address);
  const [, family, host = "", port] = match ?? [];
  return (family === "ip4" ? isIPv4(host) : isIPv6(host)) && Number(port) <= 65_535;
}

function fromEnvironment(env: ConfigSources["env"]): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [variable, field] of Object.entries(ENVIRONMENT)) {
    if (env[variable]) values[field] = env[variable];
  }
  return values;
}

function checkPart(values: Record<string, unknown>, source: string): void {
  const given = Object.keys(values).map((field) => [field, true]);
  if (given.length === 0) return;
  const checked = ConfigSchema.pick(Object.fromEntries(given)).safeParse(values);
  if (checked.success) return;
  const [issue] = checked.error.issues;
  const field = issue?.path.join(".") ?? "";
  const variable = Object.entries(ENVIRONMENT).find(([, name]) => name === field)?.[0];
  const name = source === "the environment" ? variable : `--${field.replaceAll("_", "-")}`;
  throw new DaemonError(
    "invalid_argument",
    `Cannot use ${name} "${values[field]}" from ${source}: ${issue?.message}`,
  );
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
