import type { Metrics } from "../core/mod.ts";
import type { DaemonState, Subscriptions } from "../operations/mod.ts";
import type { PluginHost } from "../plugins/mod.ts";
import type { Doors } from "./doors.ts";
import type { NetworkParts } from "./network.ts";

/** What is counted. */
export interface Counted {
  readonly network: NetworkParts;
  readonly doors: Doors;
  readonly subscriptions: Subscriptions;
  readonly plugins: PluginHost;
}

/** Dropped and refused things by name, since start. */
export function droppedCounts(
  { network, doors, subscriptions, plugins }: Counted,
): Record<string, number> {
  return {
    ...prefixed("inbound_refused_", network.swarm.admission.refused),
    ...prefixed("mdns_dropped_", network.mdns.status().dropped),
    peers_dropped: network.peers.dropped,
    ...prefixed("grpc_connections_", withoutOpen(doors.grpc.connections())),
    ...prefixed("rest_connections_", withoutOpen(doors.rest.connections())),
    ...network.p2pd ? prefixed("p2pd_connections_", withoutOpen(network.p2pd.counts)) : {},
    ...network.stack?.counts(),
    control_connections_refused: doors.control.counts.refused,
    events_dropped: subscriptions.dropped,
    ...plugins.counts(),
  };
}

/** Adds what is read when somebody looks at the metrics. */
export function addGauges(
  metrics: Metrics,
  state: DaemonState,
  { network, doors, plugins }: Omit<Counted, "subscriptions">,
): void {
  const { peers, swarm, p2pd } = network;
  metrics.gauge("almenad_peers", "Peers in the book", () => peers.size);
  metrics.gauge("almenad_peers_connected", "Connected peers", () => peers.connectedCount);
  metrics.gauge("almenad_uptime_seconds", "Seconds since start", () => state.uptimeMs() / 1_000);
  metrics.gauge(
    "almenad_inbound_handshakes",
    "Handshakes under way",
    () => swarm.admission.pendingCount,
  );
  metrics.counts("almenad_dropped_total", "Refused and dropped things", () => state.counters());
  metrics.counts(
    "almenad_plugin_failures_total",
    "Failures inside plugins, by plugin",
    () => Object.fromEntries(plugins.list().map(({ name, failures }) => [name, failures])),
    "plugin",
  );
  metrics.counts("almenad_connections", "Open inbound connections by door", () => ({
    grpc: doors.grpc.connections().open,
    rest: doors.rest.connections().open,
    control: doors.control.counts.open,
    swarm: swarm.admission.socketCount,
    ...p2pd ? { p2pd: p2pd.counts.open } : {},
  }));
}

function withoutOpen({ refused, evicted }: { refused: number; evicted: number }) {
  return { refused, evicted };
}

function prefixed(
  prefix: string,
  counts: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(counts).map(([key, value]) => [`${prefix}${key}`, value]),
  );
}
