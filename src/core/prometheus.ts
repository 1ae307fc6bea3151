/**
 * The library behind {@link Metrics}; loaded on demand. Its names are imported one by one here,
 * because a CommonJS package that is itself loaded on demand has none of them in a bundle.
 */
export { Counter, Gauge, Histogram, Registry } from "prom-client";
