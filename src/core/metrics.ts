import type { Registry } from "prom-client";
import type { CallObserver } from "./registry.ts";
import { guard } from "./guard.ts";
import { once } from "./once.ts";

/** Upper bounds of call durations, in seconds. */
const CALL_BUCKETS = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

/** Calls that wait in memory for the library, which keeps 4 MiB once it is there. */
const MAX_EARLY = 1_000;

type Library = typeof import("./prometheus.ts");
type Addition = (library: Library, registry: Registry) => unknown;

/**
 * Prometheus metrics of one daemon; labels never hold peer ids. The library behind them takes
 * longer to load than the doors to open, so what comes before it is kept and told to it later.
 */
export class Metrics {
  /** Of {@link Metrics.metrics}. */
  readonly contentType = "text/plain; version=0.0.4; charset=utf-8";
  #observe: CallObserver;
  readonly #additions: Addition[] = [];
  readonly #loaded = once(() => this.#load());

  constructor() {
    const early: Parameters<CallObserver>[0][] = [];
    this.#observe = (call) => {
      if (early.push(call) === MAX_EARLY) guard("load the metrics", () => this.load());
    };
    this.add((library, registry) => {
      this.#observe = callObserver(library, registry);
      early.splice(0).forEach(this.#observe);
    });
  }

  /** Counts and times one finished call. */
  readonly onCall: CallObserver = (call) => this.#observe(call);

  /** Loads the library; what comes before that waits in memory. */
  async load(): Promise<void> {
    await this.#loaded();
  }

  /** Everything there is, as Prometheus reads it. */
  async metrics(): Promise<string> {
    return await (await this.#loaded()).metrics();
  }

  /** Has something added once the library is there; only before that. */
  add(addition: Addition): void {
    this.#additions.push(addition);
  }

  /** Shows a number that is read when somebody looks. */
  gauge(name: string, help: string, read: () => number): void {
    this.add(({ Gauge }, registry) =>
      new Gauge({
        name,
        help,
        registers: [registry],
        collect() {
          this.set(read());
        },
      })
    );
  }

  /** Shows several counts under one name, told apart by a label. */
  counts(
    name: string,
    help: string,
    read: () => Readonly<Record<string, number>>,
    label = "kind",
  ): void {
    this.add(({ Gauge }, registry) =>
      new Gauge({
        name,
        help,
        labelNames: [label],
        registers: [registry],
        collect() {
          for (const [kind, value] of Object.entries(read())) this.set({ [label]: kind }, value);
        },
      })
    );
  }

  async #load(): Promise<Registry> {
    const library = await import("./prometheus.ts");
    const registry = new library.Registry();
    for (const addition of this.#additions) await addition(library, registry);
    return registry;
  }
}

function callObserver({ Counter, Histogram }: Library, registry: Registry): CallObserver {
  const registers = [registry];
  const calls = new Counter({
    name: "almenad_operation_calls_total",
    help: "Finished operation calls by outcome",
    labelNames: ["operation", "outcome"],
    registers,
  });
  const durations = new Histogram({
    name: "almenad_operation_duration_seconds",
    help: "Duration of operation calls",
    labelNames: ["operation"],
    buckets: CALL_BUCKETS,
    registers,
  });
  return ({ operation, outcome, durationMs }) => {
    calls.inc({ operation, outcome });
    durations.observe({ operation }, durationMs / 1_000);
  };
}
