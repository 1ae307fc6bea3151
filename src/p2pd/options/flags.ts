/** The flags of `almenad p2pd`, contract 3.3, in the syntax of Go's flag package. */
import process from "node:process";
import { DaemonError } from "../../core/mod.ts";

/** What is wrong with a command line; the message comes before the usage. */
export class UsageError extends DaemonError {
  constructor(message: string) {
    super("invalid_argument", message);
  }
}

interface FlagType<T> {
  readonly initial: T;
  readonly name: "string" | "bool" | "int" | "duration";
  parse(text: string): T | undefined;
}

const text = (initial: string): FlagType<string> => ({
  initial,
  name: "string",
  parse: (value) => value,
});
const bool = (initial: boolean): FlagType<boolean> => ({
  initial,
  name: "bool",
  parse: (value) => BOOLEANS.get(value),
});
const int = (initial: number): FlagType<number> => ({
  initial,
  name: "int",
  parse: (value) => /^[+-]?\d+$/.test(value) ? Number(value) : undefined,
});
const duration = (initial: number): FlagType<number> => ({
  initial,
  name: "duration",
  parse: parseDuration,
});

const BOOLEANS = new Map<string, boolean>([
  ...["1", "t", "T", "true", "TRUE", "True"].map((word) => [word, true] as const),
  ...["0", "f", "F", "false", "FALSE", "False"].map((word) => [word, false] as const),
]);

/** Default place of the control socket, contract 3.3. */
export const DEFAULT_LISTEN = process.platform === "win32"
  ? "/ip4/127.0.0.1/tcp/5005"
  : "/unix/tmp/p2pd.sock";

const FLAGS = {
  listen: text(DEFAULT_LISTEN),
  q: bool(false),
  id: text(""),
  b: bool(false),
  bootstrapPeers: text(""),
  dht: bool(false),
  dhtClient: bool(false),
  dhtServer: bool(false),
  connManager: bool(false),
  connLo: int(256),
  connHi: int(512),
  connGrace: duration(120_000),
  quic: bool(true),
  natPortMap: bool(false),
  pubsub: bool(false),
  pubsubRouter: text("gossipsub"),
  pubsubSign: bool(true),
  pubsubSignStrict: bool(true),
  gossipsubHeartbeatInterval: duration(0),
  gossipsubHeartbeatInitialDelay: duration(0),
  relay: bool(true),
  relayActive: bool(false),
  relayHop: bool(false),
  relayHopLimit: int(0),
  relayService: bool(true),
  relayDiscovery: bool(true),
  relayMaxCircuits: int(16),
  relayMaxReservations: int(128),
  relayBufferSize: int(1 << 24),
  relayDataLimit: int(2 ** 32),
  relayTimeLimit: duration(1_800_000),
  trustedRelays: text(""),
  autoRelay: bool(false),
  autonat: bool(false),
  hostAddrs: text(""),
  announceAddrs: text(""),
  noListenAddrs: bool(false),
  metricsAddr: text(""),
  pprof: bool(false),
  pprofPort: int(0),
  noise: bool(true),
  tls: bool(true),
  plaintext: bool(false),
  muxer: text("yamux"),
  echo: bool(true),
  idleTimeout: duration(0),
  persistentConnMaxMsgSize: int(4_194_304),
  forceReachabilityPublic: bool(false),
  forceReachabilityPrivate: bool(false),
  datastore: text(""),
  f: text(""),
  i: bool(false),
} as const;

/** Name of a flag. */
export type FlagName = keyof typeof FLAGS;

/** A value for every flag; durations in milliseconds. */
export type Flags = { -readonly [Name in FlagName]: (typeof FLAGS)[Name]["initial"] };

/** What a command line asks for. */
export interface CommandLine {
  /** Only what was given. */
  readonly given: Partial<Flags>;
  readonly isHelp: boolean;
}

/** Every flag at its default. */
export function defaultFlags(): Flags {
  const pairs = Object.entries(FLAGS).map(([name, { initial }]) => [name, initial]);
  return Object.fromEntries(pairs) as Flags;
}

/**
 * Reads a command line: one dash or two, `-name=value` or `-name value`, switches alone.
 *
 * @throws {UsageError} in the words of Go's flag package.
 */
export function parseFlags(args: readonly string[]): CommandLine {
  const given: Record<string, unknown> = {};
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? "";
    if (word === "--" || !/^--?./.test(word)) {
      if (word === "--" && at === args.length - 1) break;
      throw new UsageError(`unexpected argument: ${word}`);
    }
    const [, name = "", inline] = /^--?([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === "help" || name === "h") return { given: {}, isHelp: true };
    const type = flagType(name);
    if (!type) throw new UsageError(`flag provided but not defined: -${name}`);
    if (inline === undefined && type.name === "bool") {
      given[name] = true;
      continue;
    }
    const value = inline ?? args[++at];
    if (value === undefined) throw new UsageError(`flag needs an argument: -${name}`);
    given[name] = parseValue(name, type, value);
  }
  return { given: given as Partial<Flags>, isHelp: false };
}

/** The usage, in the form of Go's flag package. */
export function usage(program: string): string {
  const lines = Object.entries(FLAGS).sort(([a], [b]) => a < b ? -1 : 1).map(([name, type]) => {
    const shown = type.name === "bool" ? `  -${name}` : `  -${name} ${type.name}`;
    const initial = describe(type.initial, type.name);
    return initial ? `${shown}\n    \t(default ${initial})` : shown;
  });
  return [`Usage of ${program}:`, ...lines].join("\n");
}

function describe(initial: string | number | boolean, type: string): string {
  if (!initial) return "";
  if (type === "duration") return `${Number(initial) / 1_000}s`;
  return type === "string" ? JSON.stringify(initial) : String(initial);
}

function flagType(name: string): FlagType<string | number | boolean> | undefined {
  return Object.hasOwn(FLAGS, name) ? FLAGS[name as FlagName] : undefined;
}

function parseValue(name: string, type: FlagType<unknown>, value: string): unknown {
  const parsed = type.parse(value);
  if (parsed !== undefined) return parsed;
  const what = type.name === "bool" ? "boolean value" : "value";
  throw new UsageError(`invalid ${what} ${JSON.stringify(value)} for -${name}: parse error`);
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  "µs": 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** A duration in Go's notation, such as `1h2m0.5s`, in milliseconds; undefined when it is none. */
export function parseDuration(value: string): number | undefined {
  const [, sign, rest = ""] = /^([+-]?)(.*)$/s.exec(value) ?? [];
  if (rest === "0") return 0;
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.test(rest)) return undefined;
  let ms = 0;
  for (const [, number, unit = ""] of rest.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)) {
    ms += Number(number) * (UNITS_MS[unit] ?? 0);
  }
  return sign === "-" ? -ms : ms;
}
