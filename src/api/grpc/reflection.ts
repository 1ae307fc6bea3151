import {
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { MessageTypeDefinition } from "@grpc/proto-loader";
import type { ReflectionV1Implementation } from "@grpc/reflection/build/src/implementations/reflection-v1.js";
import type { Buffer } from "node:buffer";
import { guard, messageOf } from "../../core/mod.ts";

/** Full names of the reflection services: the current one, and what older clients ask for. */
export const REFLECTION_SERVICES = [
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
] as const;

/** Answers one serialized ServerReflectionRequest. */
type Answer = (request: Buffer) => Buffer;
type ReflectionStream = ServerDuplexStream<Buffer, Buffer>;

/** Requests that one reflection call may ask; a client asks a handful. */
const MAX_REQUESTS_PER_CALL = 1_000;

/** How one of {@link REFLECTION_SERVICES} is called; messages stay bytes until somebody asks. */
export function reflectionService(name: string): ServiceDefinition {
  const asIs = (bytes: Buffer) => bytes;
  return {
    ServerReflectionInfo: {
      path: `/${name}/ServerReflectionInfo`,
      requestStream: true,
      responseStream: true,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    },
  };
}

/**
 * The reflection service, v1 and v1alpha alike. The library behind it is loaded with the first
 * question: most daemons are never asked.
 *
 * @param descriptorSet The serialized FileDescriptorSet that is reflected.
 */
export function reflectionHandlers(descriptorSet: () => Buffer): UntypedServiceImplementation {
  let answer: Promise<Answer> | undefined;
  return {
    ServerReflectionInfo: (stream: ReflectionStream) => {
      answer ??= loadAnswer(descriptorSet());
      guard("answer a reflection call", async () => serve(stream, await answer));
    },
  };
}

function serve(stream: ReflectionStream, answer: Answer | undefined): void {
  let count = 0;
  stream.on("data", (request: Buffer) => {
    if (++count > MAX_REQUESTS_PER_CALL || !answer) return stream.end();
    guard("answer a reflection request", () => stream.write(answer(request)));
  });
  stream.on("error", () => undefined); // the caller went away
  stream.on("end", () => stream.end());
}

// The package reads .proto files of its own when it registers itself, which the executable does
// not have; only its request handling is used, which needs none.
async function loadAnswer(descriptorSet: Buffer): Promise<Answer> {
  const [{ ReflectionV1Implementation }, { default: descriptor }, loader] = await Promise.all([
    import("@grpc/reflection/build/src/implementations/reflection-v1.js"),
    import("protobufjs/ext/descriptor/index.js"),
    import("@grpc/proto-loader"),
  ]);
  const { file } = descriptor.FileDescriptorSet.decode(descriptorSet) as unknown as {
    file: object[];
  };
  const encoded = file.map((one) => descriptor.FileDescriptorProto.encode(one).finish());
  const all = { format: "", type: {}, fileDescriptorProtos: encoded };
  const reflected = new ReflectionV1Implementation({ all } as never);
  const messages = loader.loadFileDescriptorSetFromBuffer(descriptorSet, { oneofs: true });
  const request = messages["grpc.reflection.v1.ServerReflectionRequest"] as MessageType;
  const response = messages["grpc.reflection.v1.ServerReflectionResponse"] as MessageType;
  return (bytes) => {
    const asked = request.deserialize(bytes) as Request;
    return response.serialize({ original_request: asked, ...answerTo(asked, reflected) });
  };
}

type MessageType = MessageTypeDefinition<object, object>;

/** A ServerReflectionRequest, with the name of the field that is set. */
interface Request {
  message_request?: string;
  file_by_filename?: string;
  file_containing_symbol?: string;
  file_containing_extension?: { containing_type?: string; extension_number?: number };
  all_extension_numbers_of_type?: string;
}

type Reflected = Pick<
  ReflectionV1Implementation,
  | "listServices"
  | "fileByFilename"
  | "fileContainingSymbol"
  | "fileContainingExtension"
  | "allExtensionNumbersOfType"
>;

function answerTo(request: Request, reflected: Reflected): object {
  const file = (found: { fileDescriptorProto: unknown }) => ({
    file_descriptor_response: { file_descriptor_proto: found.fileDescriptorProto },
  });
  try {
    switch (request.message_request) {
      case "list_services":
        return { list_services_response: reflected.listServices("") };
      case "file_by_filename":
        return file(reflected.fileByFilename(request.file_by_filename ?? ""));
      case "file_containing_symbol":
        return file(reflected.fileContainingSymbol(request.file_containing_symbol ?? ""));
      case "file_containing_extension": {
        const { containing_type: type, extension_number: number } =
          request.file_containing_extension ?? {};
        return file(reflected.fileContainingExtension(type ?? "", number ?? -1));
      }
      case "all_extension_numbers_of_type": {
        const found = reflected.allExtensionNumbersOfType(
          request.all_extension_numbers_of_type ?? "",
        );
        return {
          all_extension_numbers_response: {
            base_type_name: found.baseTypeName,
            extension_number: found.extensionNumber,
          },
        };
      }
      default:
        return refusal(status.UNIMPLEMENTED, "Cannot answer: the request asks for nothing");
    }
  } catch (failure) {
    const { statusCode } = failure as { statusCode?: number };
    return refusal(statusCode ?? status.INTERNAL, messageOf(failure));
  }
}

function refusal(code: number, message: string): object {
  return { error_response: { error_code: code, error_message: message } };
}
