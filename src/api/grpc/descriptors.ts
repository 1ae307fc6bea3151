import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import type { Buffer } from "node:buffer";

/** Full name of the daemon's own service. */
export const DAEMON_SERVICE = "almena.daemon.v1.DaemonService";
/** Full name of the health service. */
export const HEALTH_SERVICE = "grpc.health.v1.Health";

/** A method of a service, as much as routing needs. */
export interface RoutedMethod {
  readonly name: string;
  readonly requestStream?: boolean;
  readonly responseStream?: boolean;
}

/** Turns the messages of one method into bytes and back. */
export interface Codec {
  /** @throws {DaemonError} `invalid_argument` for bytes that are no such message. */
  decode(bytes: Buffer): unknown;
  encode(message: unknown): Buffer;
}

/** Finds the codec of a method. */
export type Codecs = (service: string, method: string) => Codec;

/**
 * How the methods of a service are called, with messages left as bytes: the Protocol Buffers
 * library takes longer to load than the listener to open, so it is loaded behind the open door.
 */
export function routedService(
  service: string,
  methods: readonly RoutedMethod[],
): ServiceDefinition {
  return Object.fromEntries(methods.map((method) => [method.name, routedMethod(service, method)]));
}

function routedMethod(service: string, method: RoutedMethod): MethodDefinition<Buffer, Buffer> {
  const asIs = (bytes: Buffer) => bytes;
  return {
    path: `/${service}/${method.name}`,
    requestStream: method.requestStream ?? false,
    responseStream: method.responseStream ?? false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}

let codecs: Promise<Codecs> | undefined;

/** The codecs of everything the .proto files define; loaded once. */
export function loadCodecs(): Promise<Codecs> {
  codecs ??= import("./codecs.ts").then(({ readCodecs }) => readCodecs());
  return codecs;
}
