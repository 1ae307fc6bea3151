import type { Libp2pInit } from "libp2p";

/** What waits in memory for the library at most, before it is asked for. */
const MAX_WAITING = 1_000;

type Factory = NonNullable<Libp2pInit["metrics"]>;
type Components = Parameters<Factory>[0];
type Libp2pMetrics = ReturnType<Factory>;
type Work = (metrics: Libp2pMetrics) => void;
type Verb = (...values: unknown[]) => void;

/** A metric of any kind, as far as libp2p changes it. */
type Changeable = Record<"update" | "increment" | "decrement" | "observe" | "reset", Verb> & {
  timer(key?: string): () => void;
};

const KINDS = ["Metric", "Counter", "Histogram", "Summary"].flatMap((kind) =>
  [`register${kind}`, `register${kind}Group`] as (keyof Libp2pMetrics)[]
);

/**
 * libp2p's metrics for a node that starts before the library behind them is loaded: what libp2p
 * registers and counts until then is kept, and told to the library when it is there.
 */
export class LateMetrics {
  #components: Components | undefined;
  #metrics: Libp2pMetrics | undefined;
  #waiting: Work[] = [];
  readonly #onFull: () => void;

  /** @param onFull Told once when much waits for the library. */
  constructor(onFull: () => void = () => undefined) {
    this.#onFull = onFull;
  }

  /** What libp2p takes as `metrics`. */
  readonly factory: Factory = (components) => {
    this.#components = components;
    const registering = KINDS.map((kind) => [
      kind,
      (name: string, options?: object) => this.#register(kind, name, options),
    ]);
    return {
      ...Object.fromEntries(registering),
      trackMultiaddrConnection: (connection) =>
        this.#do((metrics) => metrics.trackMultiaddrConnection(connection)),
      trackProtocolStream: (stream) => this.#do((metrics) => metrics.trackProtocolStream(stream)),
      traceFunction: (_name: string, traced: unknown) => traced,
      createTrace: () => undefined,
    } as Libp2pMetrics;
  };

  /** The library is there. */
  loaded(factory: Factory): void {
    if (!this.#components) return; // the node was never made
    this.#metrics = factory(this.#components);
    for (const work of this.#waiting.splice(0)) work(this.#metrics);
  }

  #do(work: Work): void {
    if (this.#metrics) work(this.#metrics);
    else if (this.#waiting.push(work) === MAX_WAITING) this.#onFull();
  }

  #register(kind: keyof Libp2pMetrics, name: string, options: object = {}): unknown {
    let metric: Partial<Changeable> | undefined;
    this.#do((metrics) => {
      const register = metrics[kind] as (name: string, options: object) => Partial<Changeable>;
      metric = register.call(metrics, name, options);
    });
    if ("calculate" in options) return undefined;
    const change = (verb: Exclude<keyof Changeable, "timer">): Verb => (...values) =>
      this.#do(() => metric?.[verb]?.(...values));
    return {
      update: change("update"),
      increment: change("increment"),
      decrement: change("decrement"),
      observe: change("observe"),
      reset: change("reset"),
      // What began before is not timed.
      timer: (key?: string) => metric?.timer?.(key) ?? (() => undefined),
    };
  }
}
