import { guard, type Metrics } from "../core/mod.ts";
import { LateMetrics } from "../network/mod.ts";

/** libp2p's own metrics, shown among those of the daemon. */
export function libp2pMetrics(metrics: Metrics): LateMetrics["factory"] {
  const late = new LateMetrics(() => guard("load the metrics", () => metrics.load()));
  metrics.add(async (_library, registry) => {
    const { prometheusMetrics } = await import("@libp2p/prometheus-metrics");
    late.loaded(prometheusMetrics({ registry, collectDefaultMetrics: false }));
  });
  return late.factory;
}
