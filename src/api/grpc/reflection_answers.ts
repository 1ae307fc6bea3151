import { status } from "@grpc/grpc-js";
import { ReflectionV1Implementation } from "@grpc/reflection/build/src/implementations/reflection-v1.js";
import descriptor from "protobufjs/ext/descriptor/index.js";
import { messageOf } from "../../core/mod.ts";
import { descriptorSet } from "./codecs.ts";
import { loadCodecs } from "./descriptors.ts";
import { type Answer, REFLECTION_SERVICES } from "./reflection.ts";

// The package reads .proto files of its own when it registers itself, which the executable does
// not have; only its request handling is used, which needs none.
/** Makes what answers reflection requests; imported on demand. */
export async function loadAnswer(): Promise<Answer> {
  const codecs = await loadCodecs();
  const { file } = descriptor.FileDescriptorSet.decode(descriptorSet()) as unknown as {
    file: object[];
  };
  const encoded = file.map((one) => descriptor.FileDescriptorProto.encode(one).finish());
  const all = { format: "", type: {}, fileDescriptorProtos: encoded };
  const reflected = new ReflectionV1Implementation({ all } as never);
  const codec = codecs(REFLECTION_SERVICES[0], "ServerReflectionInfo");
  return (request) => {
    const asked = codec.decode(request) as Request;
    return codec.encode({ original_request: asked, ...answerTo(asked, reflected) });
  };
}

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
