import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import {
  guard,
  type Health,
  type OperationRegistry,
  releaseWhenClosed,
  type Service,
} from "../../core/mod.ts";
import { type ConnectionCounts, ConnectionPlaces, type Place } from "../connection_places.ts";
import { bindOrNext, checkLoopback, type Endpoint, formatEndpoint } from "../listen.ts";
import type { HttpAccess } from "../http_access.ts";
import type { PageSessions } from "../page_sessions.ts";
import type { StreamPlaces } from "../stream_places.ts";

/** A client that has not sent its whole head after so long is cut off. */
const HEADERS_TIMEOUT_MS = 5_000;
/** A connection without a request, or without a byte, for so long is closed. */
const IDLE_MS = 30_000;
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
  /** Knows who may change things. */
  access: HttpAccess;
  sessions: PageSessions;
  /** Answers what comes to `/graphql`. */
  graphql(request: Request): Promise<Response>;
  /** Streams of all HTTP clients. */
  streams: StreamPlaces;
}

type RequestListener = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

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
  readonly #places: ConnectionPlaces;
  readonly #placeOf = new WeakMap<Socket, Place>();
  #server: Server | undefined;
  #listener: Promise<RequestListener> | undefined;
  #endpoint: Endpoint | undefined;

  constructor(components: RestServerComponents<Components>, init: RestServerInit) {
    this.#components = components;
    this.#init = init;
    // The runtime's own header timeout does nothing on Deno 2.7, and is half a minute late on 2.9.
    this.#places = new ConnectionPlaces({
      maxConnections: init.maxConnections,
      silenceMs: HEADERS_TIMEOUT_MS,
      idleMs: IDLE_MS,
    });
  }

  /** Connections open, refused and evicted. */
  connections(): ConnectionCounts {
    return this.#places.counts();
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

  /** Ends what is open and listens anew at the same address; for a listener that went deaf. */
  async reopen(): Promise<void> {
    const endpoint = this.#endpoint;
    if (!endpoint) return;
    await this.stop();
    this.#endpoint = endpoint; // it is to be listened at, whatever comes of it
    await this.#bind(endpoint);
  }

  #bind(endpoint: Endpoint): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const server = createServer((request, response) =>
      guard("answer an HTTP request", () => {
        this.#busyUntilAnswered(request, response);
        return this.#answer(request, response);
      })
    );
    server.keepAliveTimeout = IDLE_MS;
    server.maxHeadersCount = MAX_HEADERS;
    server.on("connection", (socket) => {
      socket.on("error", () => undefined);
      guard("accept an HTTP connection", () => {
        releaseWhenClosed(socket);
        this.#admit(socket);
      });
    });
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

  // The routes are loaded with the first request: opening the door does not wait for them.
  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#listener ??= this.#loadRoutes();
    const listener = await this.#listener;
    await listener(request, response);
  }

  async #loadRoutes(): Promise<RequestListener> {
    const [{ getRequestListener }, { createApp }] = await Promise.all([
      import("@hono/node-server"),
      import("./app.ts"),
    ]);
    const app = createApp(this.#components, this.#init);
    return getRequestListener(app.fetch, { overrideGlobalObjects: false });
  }

  #admit(socket: Socket): void {
    const place = this.#places.take(() => socket.destroy());
    if (!place) return void socket.destroy();
    this.#placeOf.set(socket, place);
    socket.setTimeout(IDLE_MS, () => socket.destroy()); // answers that nobody reads
    socket.once("close", () => place.closed());
  }

  #busyUntilAnswered({ socket }: IncomingMessage, response: ServerResponse): void {
    const place = this.#placeOf.get(socket);
    place?.began();
    response.once("close", () => place?.ended());
  }
}
