import { loadFileDescriptorSetFromBuffer, type ServiceDefinition } from "@grpc/proto-loader";
import { Buffer } from "node:buffer";
import { DaemonError } from "../../core/mod.ts";
import descriptors from "./descriptor_set.json" with { type: "json" };

/** Full name of the daemon's own service. */
export const DAEMON_SERVICE = "almena.daemon.v1.DaemonService";
/** Full name of the health service. */
export const HEALTH_SERVICE = "grpc.health.v1.Health";
/** The serialized `google.protobuf.FileDescriptorSet` of all .proto files. */
export function descriptorSet(): Buffer {
  return Buffer.from(descriptors.fileDescriptorSet, "base64");
}

/** Everything the .proto files define, as grpc-js wants it. */
export function loadServices(): (service: string) => ServiceDefinition {
  const definitions = loadFileDescriptorSetFromBuffer(descriptorSet(), {
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  });
  return (service) => {
    const definition = definitions[service];
    if (definition && !("format" in definition)) return definition as ServiceDefinition;
    throw new DaemonError("internal", `Cannot serve ${service}: it is in no .proto file`);
  };
}
