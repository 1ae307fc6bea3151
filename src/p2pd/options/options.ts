/** What a p2pd is asked to be: flags over JSON configuration over defaults, contract 3.3. */
import { DaemonError, messageOf } from "../../core/mod.ts";
import { defaultFlags, type FlagName, type Flags, parseDuration } from "./flags.ts";

/** JSON key, in dotted form, to the flag it stands for. */
const JSON_KEYS: Readonly<Record<string, FlagName>> = {
  ListenAddr: "listen",
  Quiet: "q",
  ID: "id",
  "Bootstrap.Enabled": "b",
  "Bootstrap.Peers": "bootstrapPeers",
  "ConnectionManager.Enabled": "connManager",
  "ConnectionManager.LowWaterMark": "connLo",
  "ConnectionManager.HighWaterMark": "connHi",
  "ConnectionManager.GracePeriod": "connGrace",
  QUIC: "quic",
  NatPortMap: "natPortMap",
  "PubSub.Enabled": "pubsub",
  "PubSub.Router": "pubsubRouter",
  "PubSub.Sign": "pubsubSign",
  "PubSub.SignStrict": "pubsubSignStrict",
  "PubSub.GossipSubHeartbeat.Interval": "gossipsubHeartbeatInterval",
  "PubSub.GossipSubHeartbeat.InitialDelay": "gossipsubHeartbeatInitialDelay",
  "Relay.Enabled": "relay",
  "Relay.Active": "relayActive",
  "Relay.Hop": "relayHop",
  "Relay.Discovery": "relayDiscovery",
  "Relay.Auto": "autoRelay",
  AutoNat: "autonat",
  HostAddresses: "hostAddrs",
  AnnounceAddresses: "announceAddrs",
  NoListen: "noListenAddrs",
  MetricsAddress: "metricsAddr",
  "PProf.Enabled": "pprof",
  "PProf.Port": "pprofPort",
  Echo: "echo",
};
const DURATIONS: ReadonlySet<string> = new Set([
  "connGrace",
  "gossipsubHeartbeatInterval",
  "gossipsubHeartbeatInitialDelay",
]);
const DHT_MODES: Readonly<Record<string, FlagName | undefined>> = {
  "": undefined,
  full: "dht",
  client: "dhtClient",
  server: "dhtServer",
};

/**
 * Joins what was given, strongest first, and checks that it fits together.
 *
 * @param json Text of the JSON configuration, if there is one.
 * @throws {DaemonError} `invalid_argument`, naming the key or the flags.
 */
export function resolveOptions(given: Partial<Flags>, json: string | undefined): Flags {
  const flags = { ...defaultFlags(), ...json === undefined ? {} : fromJson(json), ...given };
  if (flags.forceReachabilityPrivate && flags.forceReachabilityPublic) {
    throw refused("forceReachabilityPublic and forceReachabilityPrivate exclude each other");
  }
  if (flags.autoRelay && !(flags.relay && dhtMode(flags) !== "off")) {
    throw refused("autoRelay needs relay and a DHT mode");
  }
  if (!flags.noise) {
    throw refused("without noise no secure channel is left; TLS is not available here");
  }
  if (flags.plaintext) throw refused("plaintext connections are not offered; leave -plaintext out");
  if (flags.muxer !== "yamux") throw refused(`muxer ${flags.muxer} is not known; use yamux`);
  if (!["gossipsub", "floodsub"].includes(flags.pubsubRouter)) {
    throw refused(`pubsub router ${flags.pubsubRouter} is not known; use gossipsub or floodsub`);
  }
  return flags;
}

/** How the DHT takes part. */
export function dhtMode(flags: Flags): "off" | "client" | "server" {
  if (flags.dhtServer) return "server";
  if (flags.dhtClient) return "client";
  if (!flags.dht) return "off";
  return flags.forceReachabilityPrivate ? "client" : "server";
}

/** The parts of a comma-separated list. */
export function listOf(value: string): string[] {
  return value.split(",").map((part) => part.trim()).filter(Boolean);
}

function fromJson(text: string): Partial<Flags> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (failure) {
    throw refused(`the JSON configuration cannot be read: ${messageOf(failure)}`);
  }
  const flags: Record<string, unknown> = {};
  collect(value, "", flags);
  return flags as Partial<Flags>;
}

function collect(value: unknown, path: string, flags: Record<string, unknown>): void {
  const name = JSON_KEYS[path];
  if (name) flags[name] = convert(name, path, value);
  else if (path === "DHT.Mode") setDhtMode(value, flags);
  else if (isGroup(path) && typeof value === "object" && value !== null && !Array.isArray(value)) {
    for (const [key, part] of Object.entries(value)) {
      collect(part, path ? `${path}.${key}` : key, flags);
    }
  } else throw refused(`the JSON configuration has an unknown key or shape: ${path || "(root)"}`);
}

function isGroup(path: string): boolean {
  if (path === "" || path === "DHT") return true;
  return Object.keys(JSON_KEYS).some((key) => key.startsWith(`${path}.`));
}

function setDhtMode(value: unknown, flags: Record<string, unknown>): void {
  if (typeof value !== "string" || !Object.hasOwn(DHT_MODES, value)) {
    throw refused(`DHT.Mode ${JSON.stringify(value)} is not known; use "", full, client or server`);
  }
  const name = DHT_MODES[value];
  if (name) flags[name] = true;
}

function convert(name: FlagName, path: string, value: unknown): unknown {
  const initial = defaultFlags()[name];
  if (DURATIONS.has(name)) {
    const ms = typeof value === "number" ? value * 1_000 : parseDuration(String(value));
    if (ms !== undefined) return ms;
  } else if (Array.isArray(value) && typeof initial === "string") {
    if (value.every((part) => typeof part === "string")) return value.join(",");
  } else if (typeof value === typeof initial) return value;
  throw refused(`the JSON configuration has a wrong value at ${path}: ${JSON.stringify(value)}`);
}

function refused(message: string): DaemonError {
  return new DaemonError("invalid_argument", message);
}
