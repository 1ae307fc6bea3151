import type {
  sendUnaryData,
  ServerUnaryCall,
  ServerWritableStream,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { Buffer } from "node:buffer";
import { DaemonError, guard, type Health } from "../../core/mod.ts";
import { type Codec, HEALTH_SERVICE, loadCodecs, type RoutedMethod } from "./descriptors.ts";
import { toStatus } from "./status.ts";

/** The methods of `grpc.health.v1.Health`. */
export const HEALTH_METHODS: readonly RoutedMethod[] = [
  { name: "Check" },
  { name: "Watch", responseStream: true },
];
/** Watches open at once; more are refused. */
export const MAX_WATCHERS = 256;

type State = "SERVING" | "NOT_SERVING" | "SERVICE_UNKNOWN";
type Watch = ServerWritableStream<Buffer, Buffer>;

/**
 * `grpc.health.v1.Health` with Check and Watch: "" stands for the whole server.
 *
 * @param services Full names that can be asked about.
 */
export function healthHandlers(
  health: Health,
  services: readonly string[],
): UntypedServiceImplementation {
  const stateOf = (service: string): State => {
    if (service !== "" && !services.includes(service)) return "SERVICE_UNKNOWN";
    return health.isReady() ? "SERVING" : "NOT_SERVING";
  };
  let watchers = 0;
  return {
    Check: (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => {
      check(call.request, stateOf).then(
        (bytes) => reply(null, bytes),
        (failure) => reply(toStatus(failure)),
      );
    },
    Watch: (stream: Watch) => {
      if (watchers >= MAX_WATCHERS) return refuseWatch(stream);
      watchers++;
      guard("watch health", () => watch(stream, health, stateOf, () => watchers--));
    },
  };
}

async function check(request: Buffer, stateOf: (service: string) => State): Promise<Buffer> {
  const codec = (await loadCodecs())(HEALTH_SERVICE, "Check");
  const service = serviceOf(codec, request);
  const status = stateOf(service);
  if (status !== "SERVICE_UNKNOWN") return codec.encode({ status });
  throw new DaemonError("not_found", `Cannot check "${service}": no such service`);
}

async function watch(
  stream: Watch,
  health: Health,
  stateOf: (service: string) => State,
  onEnd: () => void,
): Promise<void> {
  const ended = Promise.withResolvers<void>();
  for (const event of ["cancelled", "close", "error"]) stream.on(event, () => ended.resolve());
  try {
    const codec = (await loadCodecs())(HEALTH_SERVICE, "Watch");
    const service = serviceOf(codec, stream.request);
    let last: State | undefined;
    const tell = () => {
      const status = stateOf(service);
      if (status !== last) stream.write(codec.encode({ status }));
      last = status;
    };
    const unsubscribe = health.onChange(tell);
    tell();
    await ended.promise;
    unsubscribe();
  } catch (failure) {
    stream.emit("error", toStatus(failure));
  } finally {
    onEnd();
    stream.end();
  }
}

function serviceOf(codec: Codec, request: Buffer): string {
  return (codec.decode(request) as { service?: string }).service ?? "";
}

function refuseWatch(stream: Watch): void {
  const reason = `Cannot watch: ${MAX_WATCHERS} watches are open already`;
  stream.emit("error", toStatus(new DaemonError("resource_exhausted", reason)));
}
