import { createServer, type Server } from "node:http";
import { DaemonError, guard, messageOf, type Metrics, type Service } from "../core/mod.ts";

/** The figures of a p2pd over HTTP, `-metricsAddr`: Prometheus text at every path. */
export class MetricsPort implements Service {
  readonly name = "metrics-port";
  readonly #metrics: Metrics;
  readonly #address: string;
  #server: Server | undefined;

  /** @param init.address `host:port`; the host may be empty. */
  constructor(components: { metrics: Metrics }, init: { address: string }) {
    this.#metrics = components.metrics;
    this.#address = init.address;
  }

  async start(): Promise<void> {
    const [, host, port] = /^\[?([^\]]*?)\]?:(\d{1,5})$/.exec(this.#address) ?? [];
    const server = createServer((_request, response) =>
      guard("show metrics", async () => {
        response.setHeader("content-type", this.#metrics.contentType);
        response.end(await this.#metrics.metrics());
      })
    );
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    try {
      if (port === undefined) throw new TypeError("expected host:port");
      server.listen(Number(port), host || "127.0.0.1", () => resolve());
      await promise;
    } catch (cause) {
      const message = `Cannot show metrics on ${this.#address}: ${messageOf(cause)}`;
      throw new DaemonError("unavailable", message, { cause });
    }
    this.#server = server;
    guard("load the metrics", () => this.#metrics.load());
  }

  stop(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (!this.#server) return Promise.resolve();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    return promise;
  }
}
