import type { OutputOf } from "../../client/mod.ts";
import type { Calls } from "../wire/calls.ts";
import type { Status } from "../wire/shapes.ts";
import { downloadedItem } from "./notices.ts";
import { Resource, type ResourceInit } from "./resource.ts";

type Answer<Name> = OutputOf<"query", Name>;

/** What the page keeps fresh. */
export interface Resources {
  readonly status: Resource<Answer<"core.status">>;
  readonly version: Resource<Answer<"core.version">>;
  readonly peers: Resource<Answer<"network.peers">>;
  readonly reach: Resource<Answer<"network.status">>;
  readonly transfers: Resource<Answer<"library.transfers">>;
  readonly links: Resource<Answer<"network.links">>;
  readonly health: Resource<Answer<"core.health">>;
  readonly items: Resource<Answer<"library.items">>;
  readonly pending: Resource<Answer<"trust.pending">>;
  readonly trusted: Resource<Answer<"trust.list">>;
  readonly plugins: Resource<Answer<"plugins.list">>;
  readonly policies: Resource<Answer<"policy.list">>;
  readonly webhook: Resource<Answer<"webhook.stats">>;
}

/** Makes them all; each asks only while a view shows it. */
export function createResources(calls: Calls, isAwake: () => boolean): Resources {
  type Load<T> = (signal: AbortSignal) => Promise<T>;
  const kept = <T>(
    load: Load<T>,
    init: Pick<ResourceInit<T>, "intervalMs" | "restMs" | "essence">,
  ) => new Resource<T>({ load, isAwake, ...init });
  const live = { intervalMs: 1_000 };
  const calm = { intervalMs: 10_000 };
  return {
    status: kept((signal) => calls.query("core.status", {}, signal), { ...calm, essence: lasting }),
    version: kept((signal) => calls.query("core.version", {}, signal), calm),
    health: kept((signal) => calls.query("core.health", {}, signal), {
      ...{ intervalMs: 3_000, restMs: 10_000 },
    }),
    peers: kept((signal) => calls.query("network.peers", {}, signal), live),
    links: kept((signal) => calls.query("network.links", {}, signal), { ...live, restMs: 4_000 }),
    reach: kept((signal) => calls.query("network.status", {}, signal), calm),
    items: kept((signal) => calls.query("library.items", {}, signal), live),
    transfers: kept((signal) => calls.query("library.transfers", {}, signal), live),
    // The title tells of requests while the page is hidden, too.
    pending: new Resource({
      ...{ load: (signal) => calls.query("trust.pending", {}, signal), intervalMs: 4_000 },
      isAwake: () => true,
    }),
    trusted: kept((signal) => calls.query("trust.list", {}, signal), calm),
    plugins: kept((signal) => calls.query("plugins.list", {}, signal), calm),
    policies: kept((signal) => calls.query("policy.list", {}, signal), { intervalMs: 3_000 }),
    webhook: kept((signal) => calls.query("webhook.stats", {}, signal), { intervalMs: 3_000 }),
  };
}

// Uptime and counters go on by themselves; the page counts the seconds on its own.
function lasting({ uptime_s: _uptime, counters: _counters, ...rest }: Status): unknown {
  return rest;
}

/** Which answers an event makes stale. */
export function topicsOf(
  name: string,
  body: Record<string, unknown>,
): readonly (keyof Resources)[] {
  const topic = name === "Custom" ? String(body["event_type"]) : name;
  if (topic === "Lagged") return ["status", "peers", "items", "pending", "trusted"];
  if (topic.startsWith("Device")) return ["peers", "links", "status", "reach"];
  if (/^(Pairing|trust\.|handshake\.)/.test(topic)) return ["pending", "trusted", "peers"];
  const isDownload = topic === "JobUpdate" && downloadedItem(body) !== undefined;
  if (isDownload || topic.startsWith("library.")) return ["items", "transfers"];
  if (topic.startsWith("policy.")) return ["policies"];
  if (topic.startsWith("webhook.")) return ["webhook"];
  if (topic === "ConfigChanged") return ["status", "policies", "plugins"];
  return [];
}
