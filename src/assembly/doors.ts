import {
  ControlServer,
  GraphqlDoor,
  GrpcServer,
  HttpAccess,
  MAX_HTTP_STREAMS,
  type PageSessions,
  RestServer,
  StreamPlaces,
} from "../api/mod.ts";
import { DEFAULT_GRPC_ADDR, parseHostPort, type ResolvedConfig } from "../config/mod.ts";
import {
  type ControlPlace,
  DaemonError,
  type Health,
  type Metrics,
  type OperationRegistry,
  systemClock,
  systemRandom,
} from "../core/mod.ts";
import type { Components } from "../operations/mod.ts";
import { type AdminToken, type ConnectionCaps, readAsset } from "../system/mod.ts";

/** What the doors stand on. */
export interface DoorsInput {
  readonly registry: OperationRegistry<Components>;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly config: ResolvedConfig;
  readonly caps: ConnectionCaps;
  readonly version: string;
  readonly adminToken: AdminToken;
  readonly sessions: PageSessions;
  readonly control: {
    readonly place: ControlPlace;
    /** Whether the socket's folder is ours alone. */
    readonly ownsFolder: boolean;
  };
  /** Stops the daemon in order; a client asked for it. */
  shutDown(): void;
}

/** The doors at which programs of this machine call. */
export interface Doors {
  readonly grpc: GrpcServer<Components>;
  readonly rest: RestServer<Components>;
  readonly control: ControlServer<Components>;
}

/** Makes every door; none is open before it is started. */
export function assembleDoors(input: DoorsInput): Doors {
  const { registry, health } = input;
  const { config } = input.config;
  const grpc = new GrpcServer({ registry, health }, {
    ...grpcListeners(input.config),
    allowRemote: config.allow_remote,
    maxConnections: input.caps.grpc,
  });
  const rest = createRest(input);
  const control = new ControlServer({
    registry,
    health,
    clock: systemClock,
    random: systemRandom,
    shutDown: input.shutDown,
  }, { ...input.control, maxConnections: input.caps.control });
  return { grpc, rest, control };
}

function createRest(input: DoorsInput): RestServer<Components> {
  const { registry, health, adminToken, sessions } = input;
  const { config, origins } = input.config;
  // Streams may take half of the connections, so that calls always find one.
  const streams = new StreamPlaces(Math.min(MAX_HTTP_STREAMS, Math.ceil(input.caps.rest / 2)));
  const access: HttpAccess = new HttpAccess({
    ...{ adminToken, sessions },
    port: () => rest.endpoints()[0]?.port ?? 0,
  });
  const graphql = new GraphqlDoor({ registry, access, streams, readAsset });
  const rest: RestServer<Components> = new RestServer(
    {
      registry,
      health,
      readAsset,
      metrics: input.metrics,
      ...{ access, sessions },
      streams,
      graphql: (request) => graphql.answer(request),
    },
    {
      endpoint: endpointOf(config.rest_addr),
      isDefault: origins["rest_addr"] === "default",
      allowRemote: config.allow_remote,
      maxConnections: input.caps.rest,
      version: input.version,
    },
  );
  return rest;
}

// The default also binds IPv4 loopback, because known clients dial either (contract 1.2).
function grpcListeners({ config, origins }: ResolvedConfig) {
  const { host, port } = endpointOf(config.grpc_addr);
  const isDefault = origins["grpc_addr"] === "default" && config.grpc_addr === DEFAULT_GRPC_ADDR;
  return { hosts: isDefault ? [host, "127.0.0.1"] : [host], port, isDefault };
}

function endpointOf(text: string): { host: string; port: number } {
  const endpoint = parseHostPort(text);
  if (endpoint) return endpoint;
  throw new DaemonError("invalid_argument", `Cannot use address "${text}": it is not host:port`);
}
