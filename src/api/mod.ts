/** The front doors: each decodes, calls the registry and encodes. */
export { GraphqlDoor } from "./graphql/door.ts";
export { ControlServer } from "./control/server.ts";
export { GrpcServer } from "./grpc/server.ts";
export { formatEndpoint, isLoopbackHost } from "./listen.ts";
export { HttpAccess } from "./http_access.ts";
export { PageSessions } from "./page_sessions.ts";
export { RestServer } from "./rest/server.ts";
export { MAX_HTTP_STREAMS, StreamPlaces } from "./stream_places.ts";
