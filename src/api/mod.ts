/** The front doors: each decodes, calls the registry and encodes. */
export { GrpcServer } from "./grpc/server.ts";
export { formatEndpoint, isLoopbackHost } from "./listen.ts";
export { RestServer } from "./rest/server.ts";
