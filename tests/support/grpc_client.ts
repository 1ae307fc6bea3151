/** A gRPC client that knows the daemon from its .proto files alone, as clients elsewhere do. */
import {
  type ChannelCredentials,
  Client,
  type ClientReadableStream,
  credentials,
  type Metadata,
  type ServiceDefinition,
  type StatusObject,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";
import { DaemonError } from "../../src/core/mod.ts";

const PROTO = fileURLToPath(new URL("../../proto", import.meta.url));
const CALL_TIMEOUT_MS = 10_000;

const definitions = loadSync([
  "almena/daemon/v1/service.proto",
  "grpc/health/v1/health.proto",
  "grpc/reflection/v1/reflection.proto",
  "grpc/reflection/v1alpha/reflection.proto",
], { includeDirs: [PROTO], keepCase: true, defaults: true, longs: String, enums: String });

/** A service of the .proto files. */
export function serviceOf(name: string): ServiceDefinition {
  const definition = definitions[name];
  if (definition && !("format" in definition)) return definition as ServiceDefinition;
  throw new DaemonError("not_found", `No .proto file has service "${name}"`);
}

/** A connection to a gRPC listener; dispose of it. */
export class GrpcClient implements Disposable {
  readonly #client: Client;

  constructor(address: string, channel: ChannelCredentials = credentials.createInsecure()) {
    this.#client = new Client(address, channel);
  }

  /**
   * Calls a unary method.
   *
   * @throws The status (a `ServiceError`) when it is not OK.
   */
  call(
    method: string,
    request: Record<string, unknown> = {},
    service = "almena.daemon.v1.DaemonService",
    timeoutMs = CALL_TIMEOUT_MS,
  ): Promise<Record<string, unknown>> {
    const { path, requestSerialize, responseDeserialize } = methodOf(service, method);
    const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>();
    this.#client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      { deadline: Date.now() + timeoutMs },
      (failure, answer) => failure ? reject(failure) : resolve(answer as Record<string, unknown>),
    );
    return promise;
  }

  /** Calls a method that streams both ways: sends everything, reads to the end. */
  async exchange(
    service: string,
    method: string,
    requests: readonly Record<string, unknown>[],
  ): Promise<Record<string, unknown>[]> {
    const { path, requestSerialize, responseDeserialize } = methodOf(service, method);
    const options = { deadline: Date.now() + CALL_TIMEOUT_MS };
    const stream = this.#client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      options,
    );
    for (const request of requests) stream.write(request);
    stream.end();
    const answers: Record<string, unknown>[] = [];
    for await (const answer of stream) answers.push(answer as Record<string, unknown>);
    return answers;
  }

  /** Calls a method that streams its answers; dispose of the stream to cancel it. */
  watch(
    service: string,
    method: string,
    request: Record<string, unknown>,
  ): ClientReadableStream<Record<string, unknown>> {
    const { path, requestSerialize, responseDeserialize } = methodOf(service, method);
    const stream = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
    );
    stream.on("error", () => undefined); // "cancelled" at the end
    return stream;
  }

  /** Calls a path that may be in no .proto file, with an empty message. */
  callUnknown(path: string): Promise<StatusObject> {
    const { promise, resolve } = Promise.withResolvers<StatusObject>();
    const call = this.#client.makeUnaryRequest(
      path,
      () => Buffer.alloc(0),
      (bytes) => bytes,
      {},
      { deadline: Date.now() + CALL_TIMEOUT_MS },
      () => undefined,
    );
    call.on("status", resolve);
    return promise;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** A failed call. */
export interface GrpcFailure {
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata;
}

function methodOf(service: string, method: string) {
  const definition = serviceOf(service)[method];
  if (definition) return definition;
  throw new DaemonError("not_found", `Service "${service}" has no method "${method}"`);
}
