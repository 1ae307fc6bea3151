import type {
  sendUnaryData,
  ServerUnaryCall,
  ServerWritableStream,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { DaemonError, type Health } from "../../core/mod.ts";
import { toStatus } from "./status.ts";

interface HealthRequest {
  service: string;
}
interface HealthResponse {
  status: "SERVING" | "NOT_SERVING" | "SERVICE_UNKNOWN";
}

/** Watches open at once; more are refused. */
export const MAX_WATCHERS = 256;

/**
 * `grpc.health.v1.Health` with Check and Watch: "" stands for the whole server.
 *
 * @param services Full names that can be asked about.
 */
export function healthHandlers(
  health: Health,
  services: readonly string[],
): UntypedServiceImplementation {
  const stateOf = (service: string): HealthResponse["status"] => {
    if (service !== "" && !services.includes(service)) return "SERVICE_UNKNOWN";
    return health.isReady() ? "SERVING" : "NOT_SERVING";
  };
  const watch = watcher(health, stateOf);
  return {
    Check: (
      { request: { service } }: ServerUnaryCall<HealthRequest, HealthResponse>,
      reply: sendUnaryData<HealthResponse>,
    ) => {
      const status = stateOf(service);
      if (status !== "SERVICE_UNKNOWN") return reply(null, { status });
      reply(toStatus(new DaemonError("not_found", `Cannot check "${service}": no such service`)));
    },
    Watch: watch,
  };
}

function watcher(health: Health, stateOf: (service: string) => HealthResponse["status"]) {
  let open = 0;
  return (stream: ServerWritableStream<HealthRequest, HealthResponse>) => {
    if (open >= MAX_WATCHERS) {
      const full = `Cannot watch: ${MAX_WATCHERS} watches are open already`;
      return void stream.emit("error", toStatus(new DaemonError("resource_exhausted", full)));
    }
    open++;
    let last: string | undefined;
    const tell = () => {
      const status = stateOf(stream.request.service);
      if (status !== last) stream.write({ status });
      last = status;
    };
    const unsubscribe = health.onChange(tell);
    tell();
    const end = once(() => {
      open--;
      unsubscribe();
      stream.end();
    });
    stream.on("cancelled", end);
    stream.on("close", end);
    stream.on("error", end);
  };
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    work();
  };
}
