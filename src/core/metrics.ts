import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { CallObserver } from "./registry.ts";

/** Upper bounds of call durations, in seconds. */
const CALL_BUCKETS = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

/** Prometheus metrics of one daemon; labels never hold peer ids. */
export class Metrics {
  /** Everything that `/metrics` shows. */
  readonly registry = new Registry();
  readonly #calls: Counter<"operation" | "outcome">;
  readonly #durations: Histogram<"operation">;

  constructor() {
    const registers = [this.registry];
    this.#calls = new Counter({
      name: "almenad_operation_calls_total",
      help: "Finished operation calls by outcome",
      labelNames: ["operation", "outcome"],
      registers,
    });
    this.#durations = new Histogram({
      name: "almenad_operation_duration_seconds",
      help: "Duration of operation calls",
      labelNames: ["operation"],
      buckets: CALL_BUCKETS,
      registers,
    });
  }

  /** Counts and times one finished call. */
  readonly onCall: CallObserver = ({ operation, outcome, durationMs }) => {
    this.#calls.inc({ operation, outcome });
    this.#durations.observe({ operation }, durationMs / 1_000);
  };

  /** Shows a number that is read when somebody looks. */
  gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }

  /** Shows several counts under one name, told apart by a label. */
  counts(
    name: string,
    help: string,
    read: () => Readonly<Record<string, number>>,
    label = "kind",
  ): void {
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [this.registry],
      collect() {
        for (const [kind, value] of Object.entries(read())) this.set({ [label]: kind }, value);
      },
    });
  }
}
