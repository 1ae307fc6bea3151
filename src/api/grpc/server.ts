import {
  logVerbosity,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { Buffer } from "node:buffer";
import {
  type CallContext,
  type Health,
  logger,
  messageOf,
  type OperationRegistry,
  type Service,
  wireName,
  withDeadline,
} from "../../core/mod.ts";
import type { ConnectionCounts } from "../connection_places.ts";
import { bindOrNext, checkLoopback, type Endpoint, formatEndpoint } from "../listen.ts";
import { guardSessions } from "./connection_limits.ts";
import { DAEMON_SERVICE, HEALTH_SERVICE, loadCodecs, routedService } from "./descriptors.ts";
import { HEALTH_METHODS, healthHandlers } from "./health.ts";
import { REFLECTION_METHODS, REFLECTION_SERVICES, reflectionHandlers } from "./reflection.ts";
import { toStatus } from "./status.ts";

/** Largest message in either direction, contract 1.1. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Calls at once on one connection, reliability section 2. */
export const MAX_STREAMS_PER_CONNECTION = 100;
/** A connection without a call for so long is closed. */
export const CONNECTION_IDLE_MS = 300_000;
/** How long calls under way may go on at stop. */
const DRAIN_MS = 400;

/** What {@link GrpcServer} uses. */
export interface GrpcServerComponents<Components> {
  registry: OperationRegistry<Components>;
  health: Health;
}

/** How {@link GrpcServer} behaves. */
export interface GrpcServerInit {
  /** Where to listen; each is bound, in this order, on one port. */
  hosts: readonly string[];
  port: number;
  /** Whether host and port are the built-in defaults, so the next free port will do. */
  isDefault: boolean;
  allowRemote: boolean;
  maxConnections: number;
}

type UnaryCall = ServerUnaryCall<Buffer, Buffer>;

const log = logger("api");

/** The gRPC door: serves every operation that names an rpc, with health and reflection. */
export class GrpcServer<Components> implements Service {
  readonly name = "grpc";
  readonly #components: GrpcServerComponents<Components>;
  readonly #init: GrpcServerInit;
  #server: Server | undefined;
  #endpoints: Endpoint[] = [];
  #connections: () => ConnectionCounts = () => ({ open: 0, refused: 0, evicted: 0 });

  constructor(components: GrpcServerComponents<Components>, init: GrpcServerInit) {
    this.#components = components;
    this.#init = init;
  }

  /** Where it listens now. */
  endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  /** Connections open, refused and evicted. */
  connections(): ConnectionCounts {
    return this.#connections();
  }

  /** The same as `host:port`. */
  addresses(): string[] {
    return this.#endpoints.map(formatEndpoint);
  }

  /**
   * @throws {DaemonError} `invalid_argument` for a remote address without leave, `unavailable` if
   *   no address can be bound.
   */
  async start(): Promise<void> {
    for (const host of this.#init.hosts) {
      checkLoopback(host, "--grpc-addr", this.#init.allowRemote);
    }
    const [host = "127.0.0.1"] = this.#init.hosts;
    const wanted = { host, port: this.#init.port };
    const options = { isDefault: this.#init.isDefault, flag: "--grpc-addr" };
    await bindOrNext(wanted, options, (port) => this.#bindAll(port));
    this.#components.health.serving("grpc");
  }

  /** Loads the message codecs, without which the first call would have to wait for them. */
  async warmUp(): Promise<void> {
    await loadCodecs();
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#endpoints = [];
    if (!server) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    server.tryShutdown(() => resolve());
    await withDeadline(promise, DRAIN_MS, "finish the calls under way").catch(() => undefined);
    server.forceShutdown();
  }

  /** Ends what is open and listens anew at the same addresses; for a listener that went deaf. */
  async reopen(): Promise<void> {
    const [endpoint] = this.#endpoints;
    if (!endpoint) return;
    const endpoints = this.#endpoints;
    await this.stop();
    this.#endpoints = endpoints; // these are to be listened at, whatever comes of it
    await this.#bindAll(endpoint.port);
  }

  // All hosts share one port; on a machine without IPv6 the IPv4 address alone has to do.
  async #bindAll(port: number): Promise<void> {
    const server = this.#createServer();
    const endpoints: Endpoint[] = [];
    for (const host of this.#init.hosts) {
      const chosen = endpoints[0]?.port ?? port;
      try {
        endpoints.push({ host, port: await bind(server, { host, port: chosen }) });
      } catch (failure) {
        if (!this.#init.isDefault || !isMissingFamily(failure)) {
          server.forceShutdown();
          throw failure;
        }
        log.warn("gRPC address is not available on this machine", { host, error: failure });
      }
    }
    if (endpoints.length === 0) throw new TypeError("no address of this machine could be bound");
    this.#server = server;
    this.#endpoints = endpoints;
    this.#connections = guardSessions(server, { maxConnections: this.#init.maxConnections });
  }

  #createServer(): Server {
    setLogVerbosity(logVerbosity.NONE); // what it has to say comes as errors, too
    const server = new Server({
      "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
      "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
      "grpc.max_concurrent_streams": MAX_STREAMS_PER_CONNECTION,
      "grpc.max_connection_idle_ms": CONNECTION_IDLE_MS,
      "grpc.enable_channelz": 0,
      "grpc.keepalive_time_ms": 60_000,
      "grpc.keepalive_timeout_ms": 10_000,
    });
    const handlers = this.#daemonHandlers();
    const methods = Object.keys(handlers).map((name) => ({ name }));
    server.addService(routedService(DAEMON_SERVICE, methods), handlers);
    const services = [DAEMON_SERVICE, HEALTH_SERVICE];
    const health = healthHandlers(this.#components.health, services);
    server.addService(routedService(HEALTH_SERVICE, HEALTH_METHODS), health);
    const reflection = reflectionHandlers();
    for (const name of REFLECTION_SERVICES) {
      server.addService(routedService(name, REFLECTION_METHODS), reflection);
    }
    return server;
  }

  #daemonHandlers(): UntypedServiceImplementation {
    const handlers: UntypedServiceImplementation = {};
    for (const operation of this.#components.registry.list()) {
      const { rpc } = operation;
      if (!rpc) continue;
      const wire = wireName(operation);
      handlers[rpc] = (call: UnaryCall, reply: sendUnaryData<Buffer>) => {
        this.#answer(wire, rpc, call)
          .then((bytes) => reply(null, bytes), (failure) => reply(toStatus(failure)));
      };
    }
    return handlers;
  }

  async #answer(wire: string, rpc: string, call: UnaryCall): Promise<Buffer> {
    const codec = (await loadCodecs())(DAEMON_SERVICE, rpc);
    const request = codec.decode(call.request);
    const context = new Caller(call);
    try {
      return codec.encode(await this.#components.registry.call(wire, request, context));
    } finally {
      context.leave();
    }
  }
}

/** Who calls. Most operations never look at the signal, so it is made for those that do. */
class Caller implements CallContext {
  readonly #call: UnaryCall;
  #gone: AbortController | undefined;
  readonly #onCancelled = () => this.#gone?.abort();

  constructor(call: UnaryCall) {
    this.#call = call;
  }

  get signal(): AbortSignal {
    if (this.#gone) return this.#gone.signal;
    this.#gone = new AbortController();
    if (this.#call.cancelled) this.#gone.abort();
    else this.#call.once("cancelled", this.#onCancelled);
    return this.#gone.signal;
  }

  // grpc-js says "cancelled" of answered calls too, and each abort makes an error with a stack.
  leave(): void {
    if (this.#gone) this.#call.removeListener("cancelled", this.#onCancelled);
  }
}

function bind(server: Server, endpoint: Endpoint): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync(
    formatEndpoint(endpoint),
    ServerCredentials.createInsecure(),
    (failure, port) => failure ? reject(failure) : resolve(port),
  );
  return promise;
}

function isMissingFamily(failure: unknown): boolean {
  return /EADDRNOTAVAIL|EAFNOSUPPORT|EINVAL|assign requested address|not supported/i.test(
    messageOf(failure),
  );
}
