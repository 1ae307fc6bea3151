import type { OutputOf } from "../../client/mod.ts";
import type { Calls } from "../wire/calls.ts";
import { Resource } from "./resource.ts";

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
  const kept = <T>(
    load: (signal: AbortSignal) => Promise<T>,
    intervalMs: number,
    restMs = intervalMs,
  ) => new Resource<T>({ load, intervalMs, restMs, isAwake });
  return {
    status: kept((signal) => calls.query("core.status", {}, signal), 5_000),
    version: kept((signal) => calls.query("core.version", {}, signal), 60_000),
    peers: kept((signal) => calls.query("network.peers", {}, signal), 1_000, 3_000),
    reach: kept((signal) => calls.query("network.status", {}, signal), 10_000),
    transfers: kept((signal) => calls.query("library.transfers", {}, signal), 1_000),
    links: kept((signal) => calls.query("network.links", {}, signal), 1_000, 3_000),
    health: kept((signal) => calls.query("core.health", {}, signal), 5_000),
    items: kept((signal) => calls.query("library.items", {}, signal), 1_000, 3_000),
    pending: kept((signal) => calls.query("trust.pending", {}, signal), 15_000),
    trusted: kept((signal) => calls.query("trust.list", {}, signal), 15_000),
    plugins: kept((signal) => calls.query("plugins.list", {}, signal), 5_000),
    policies: kept((signal) => calls.query("policy.list", {}, signal), 5_000),
    webhook: kept((signal) => calls.query("webhook.stats", {}, signal), 5_000),
  };
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
  if (topic.startsWith("library.")) return ["items", "transfers"];
  if (topic.startsWith("policy.")) return ["policies"];
  if (topic.startsWith("webhook.")) return ["webhook"];
  if (topic === "ConfigChanged") return ["status", "policies", "plugins"];
  return [];
}
