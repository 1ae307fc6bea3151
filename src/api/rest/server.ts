import { getRequestListener } from "@hono/node-server";
import { createServer, type Server } from "node:http";
import { guard, type Health, type OperationRegistry, type Service } from "../../core/mod.ts";
import { bindOrNext, checkLoopback, type Endpoint, formatEndpoint } from "../listen.ts";
import type { StreamPlaces } from "../stream_places.ts";
import { createApp } from "./app.ts";

/** A client that has not sent its whole head after so long is cut off. */
const HEADERS_TIMEOUT_MS = 5_000;
/** The same for a whole request. */
const REQUEST_TIMEOUT_MS = 15_000;
/** A connection without a request for so long is closed. */
const KEEP_ALIVE_MS = 30_000;
/** Headers of one request. */
const MAX_HEADERS = 64;

/** What {@link RestServer} uses. */
export interface RestServerComponents<Components> {
  registry: OperationRegistry<Components>;
  health: Health;
  /** The text of `/metrics`, and its content type. */
  metrics: { contentType: string; metrics(): Promise<string> };
  /** Reads a file of the Swagger page. */
  readAsset(name: string): Promise<Uint8Array>;
  /** Knows the word that lets a caller change things. */
  adminToken: { isIn(authorization: string | null | undefined): boolean };
  /** Answers what comes to `/graphql`. */
  graphql(request: Request): Promise<Response>;
  /** Streams of all HTTP clients. */
  streams: StreamPlaces;
}

/** How {@link RestServer} behaves. */
export interface RestServerInit {
  endpoint: Endpoint;
  /** Whether the endpoint is the built-in default, so the next free port will do. */
  isDefault: boolean;
  allowRemote: boolean;
  maxConnections: number;
  version: string;
}

/** The HTTP door: operations as REST, status, health, metrics, OpenAPI and its page. */
export class RestServer<Components> implements Service {
  readonly name = "rest";
  readonly #components: RestServerComponents<Components>;
  readonly #init: RestServerInit;
  #server: Server | undefined;
  #endpoint: Endpoint | undefined;

  constructor(components: RestServerComponents<Components>, init: RestServerInit) {
    this.#components = components;
    this.#init = init;
  }

  /** Where it listens now. */
  endpoints(): readonly Endpoint[] {
    return this.#endpoint ? [this.#endpoint] : [];
  }

  /** The same as `host:port`; empty when it does not. */
  address(): string {
    return this.#endpoint ? formatEndpoint(this.#endpoint) : "";
  }

  /**
   * @throws {DaemonError} `invalid_argument` for a remote address without leave, `unavailable` if
   *   it cannot be bound.
   */
  async start(): Promise<void> {
    const { endpoint, isDefault, allowRemote } = this.#init;
    checkLoopback(endpoint.host, "--rest-addr", allowRemote);
    const options = { isDefault, flag: "--rest-addr" };
    await bindOrNext(endpoint, options, (port) => this.#bind({ ...endpoint, port }));
    this.#components.health.serving("rest");
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#endpoint = undefined;
    if (!server) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    server.close(() => resolve());
    server.closeAllConnections();
    await promise;
  }

  #bind(endpoint: Endpoint): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const app = createApp(this.#components, this.#init);
    const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
    const server = createServer(
      { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
      (request, response) => guard("answer an HTTP request", () => listener(request, response)),
    );
    server.keepAliveTimeout = KEEP_ALIVE_MS;
    server.maxHeadersCount = MAX_HEADERS;
    server.maxConnections = this.#init.maxConnections;
    server.on("connection", (socket) => socket.on("error", () => undefined));
    server.on("clientError", (_error, socket) => socket.destroy());
    server.once("error", reject);
    server.listen(endpoint.port, endpoint.host, () => {
      const address = server.address();
      const port = typeof address === "object" && address ? address.port : endpoint.port;
      this.#server = server;
      this.#endpoint = { host: endpoint.host, port };
      server.removeListener("error", reject);
      server.on("error", () => undefined); // the watchdog notices a listener that no longer answers
      resolve();
    });
    return promise;
  }
}
