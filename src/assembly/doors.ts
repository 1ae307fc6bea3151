import { GrpcServer, RestServer } from "../api/mod.ts";
import { DEFAULT_GRPC_ADDR, parseHostPort, type ResolvedConfig } from "../config/mod.ts";
import {
  DaemonError,
  type Health,
  type Metrics,
  type OperationRegistry,
  systemClock,
} from "../core/mod.ts";
import type { Components } from "../operations/mod.ts";
import { type ConnectionCaps, readAsset } from "../system/mod.ts";

/** What the doors stand on. */
export interface DoorsInput {
  readonly registry: OperationRegistry<Components>;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly config: ResolvedConfig;
  readonly caps: ConnectionCaps;
  readonly version: string;
}

/** The doors at which programs of this machine call. */
export interface Doors {
  readonly grpc: GrpcServer<Components>;
  readonly rest: RestServer<Components>;
}

/** Makes every door; none is open before it is started. */
export function assembleDoors(input: DoorsInput): Doors {
  const { registry, health } = input;
  const { config, origins } = input.config;
  const grpc = new GrpcServer({ registry, health, clock: systemClock }, {
    ...grpcListeners(input.config),
    allowRemote: config.allow_remote,
    maxConnections: input.caps.grpc,
  });
  const rest = new RestServer(
    { registry, health, readAsset, metrics: input.metrics.registry },
    {
      endpoint: endpointOf(config.rest_addr),
      isDefault: origins["rest_addr"] === "default",
      allowRemote: config.allow_remote,
      maxConnections: input.caps.rest,
      version: input.version,
    },
  );
  return { grpc, rest };
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
