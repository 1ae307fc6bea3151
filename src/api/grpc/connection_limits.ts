import type { Server } from "@grpc/grpc-js";
import type { Http2Server, ServerHttp2Session } from "node:http2";
import { guard } from "../../core/mod.ts";
import { type ConnectionCounts, ConnectionPlaces } from "../connection_places.ts";

/** A connection that has not sent its HTTP/2 preface and settings after so long is closed. */
export const PREFACE_TIMEOUT_MS = 10_000;

/**
 * Bounds the connections of a bound grpc-js server, which has no bound of its own: so many at once,
 * and each must speak HTTP/2 soon. Measured: 200 half prefaces stayed open for ever without this.
 *
 * @param limits.maxConnections Over all listeners of the server.
 * @returns Reads the counts.
 */
export function guardSessions(
  server: Server,
  limits: { maxConnections: number; prefaceTimeoutMs?: number },
): () => ConnectionCounts {
  const places = new ConnectionPlaces({
    maxConnections: limits.maxConnections,
    silenceMs: limits.prefaceTimeoutMs ?? PREFACE_TIMEOUT_MS,
  });
  const { http2Servers } = server as unknown as { http2Servers: Map<Http2Server, unknown> };
  for (const listener of http2Servers.keys()) {
    guardStreams(listener);
    listener.on(
      "session",
      (session) => guard("accept a gRPC connection", () => admit(session, places)),
    );
  }
  return () => places.counts();
}

// grpc-js answers a call of the wrong content type without looking whether the caller has reset it
// meanwhile; the throw would reach no handler and end the process (measured).
function guardStreams(listener: Http2Server): void {
  const handlers = listener.listeners("stream");
  listener.removeAllListeners("stream");
  listener.on("stream", (stream, ...rest) => {
    stream.on("error", () => undefined);
    guard("serve a gRPC call", () => {
      if (stream.destroyed) return;
      for (const handler of handlers) handler.call(listener, stream, ...rest);
    });
  });
}

function admit(session: ServerHttp2Session, places: ConnectionPlaces): void {
  session.on("error", () => undefined); // its close follows
  const place = places.take(() => session.destroy());
  if (!place) return void session.destroy();
  session.once("remoteSettings", () => place.spoke());
  session.on("stream", (stream) => {
    place.began();
    stream.once("close", () => place.ended());
  });
  session.once("close", () => place.closed());
}
