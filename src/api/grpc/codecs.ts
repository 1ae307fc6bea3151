import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";
import { Buffer } from "node:buffer";
import { DaemonError, kept } from "../../core/mod.ts";
import json from "./descriptor_set.json" with { type: "json" };
import type { Codec, Codecs } from "./descriptors.ts";

/** The serialized `google.protobuf.FileDescriptorSet` of all .proto files. */
export function descriptorSet(): Buffer {
  return Buffer.from(json.fileDescriptorSet, "base64");
}

/** Reads the codecs of everything the .proto files define; imported on demand, as it is slow. */
export function readCodecs(): Codecs {
  const definitions = loadFileDescriptorSetFromBuffer(descriptorSet(), {
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  });
  const found = new Map<string, Codec>();
  for (const [service, definition] of Object.entries(definitions)) {
    if ("format" in definition) continue;
    for (const [name, method] of Object.entries(definition as ServiceDefinition)) {
      found.set(`${service}/${name}`, codecOf(method, `${service}/${name}`));
    }
  }
  return (service, method) => {
    const codec = found.get(`${service}/${method}`);
    if (codec) return codec;
    throw new DaemonError("internal", `Cannot serve ${service}/${method}: it is in no .proto file`);
  };
}

function codecOf(method: MethodDefinition<unknown, unknown>, name: string): Codec {
  const keptBytes = kept((message: object) => method.responseSerialize(message));
  return {
    decode(bytes) {
      try {
        return method.requestDeserialize(bytes);
      } catch (cause) {
        throw new DaemonError("invalid_argument", `Cannot decode the request of ${name}`, {
          cause,
        });
      }
    },
    // A frozen answer is one that operations give again and again.
    encode: (message) => isFrozen(message) ? keptBytes(message) : method.responseSerialize(message),
  };
}

function isFrozen(message: unknown): message is object {
  return typeof message === "object" && message !== null && Object.isFrozen(message);
}
