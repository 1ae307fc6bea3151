import type { ServerDuplexStream, UntypedServiceImplementation } from "@grpc/grpc-js";
import type { Buffer } from "node:buffer";
import { guard } from "../../core/mod.ts";
import type { RoutedMethod } from "./descriptors.ts";

/** Full names of the reflection services: the current one, and what older clients ask for. */
export const REFLECTION_SERVICES = [
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
] as const;

/** Answers one serialized ServerReflectionRequest. */
export type Answer = (request: Buffer) => Buffer;
type ReflectionStream = ServerDuplexStream<Buffer, Buffer>;

/** Requests that one reflection call may ask; a client asks a handful. */
const MAX_REQUESTS_PER_CALL = 1_000;

/** The methods of each of {@link REFLECTION_SERVICES}. */
export const REFLECTION_METHODS: readonly RoutedMethod[] = [
  { name: "ServerReflectionInfo", requestStream: true, responseStream: true },
];

/**
 * The reflection service, v1 and v1alpha alike. The library behind it is loaded with the first
 * question: most daemons are never asked.
 */
export function reflectionHandlers(): UntypedServiceImplementation {
  let answer: Promise<Answer> | undefined;
  return {
    ServerReflectionInfo: (stream: ReflectionStream) => {
      answer ??= import("./reflection_answers.ts").then(({ loadAnswer }) => loadAnswer());
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
