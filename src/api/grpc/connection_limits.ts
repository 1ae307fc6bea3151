import type { Server } from "@grpc/grpc-js";
import type { Http2Server, ServerHttp2Session } from "node:http2";
import { guard } from "../../core/mod.ts";

/** A connection that has not sent its HTTP/2 preface and settings after so long is closed. */
export const PREFACE_TIMEOUT_MS = 10_000;

/** What is known of a server's connections. */
export interface SessionCounts {
  /** Open now. */
  readonly open: number;
  /** Refused because too many were open. */
  readonly refused: number;
}

/**
 * Bounds the connections of a bound grpc-js server, which has no bound of its own: so many at once,
 * and each must speak HTTP/2 soon. Measured: 200 half prefaces stayed open for ever without this.
 *
 * @param limits.maxConnections Over all listeners of the server.
 */
export function guardSessions(
  server: Server,
  limits: { maxConnections: number; prefaceTimeoutMs?: number },
): SessionCounts {
  const counts = { open: 0, refused: 0 };
  const { http2Servers } = server as unknown as { http2Servers: Map<Http2Server, unknown> };
  const admit = (session: ServerHttp2Session) => {
    session.on("error", () => undefined); // its close follows
    if (counts.open >= limits.maxConnections) {
      counts.refused++;
      session.destroy();
      return;
    }
    counts.open++;
    const expire = () => guard("close a silent HTTP/2 connection", () => session.destroy());
    const timer = setTimeout(expire, limits.prefaceTimeoutMs ?? PREFACE_TIMEOUT_MS);
    session.once("remoteSettings", () => clearTimeout(timer));
    session.once("close", () => {
      clearTimeout(timer);
      counts.open--;
    });
  };
  for (const listener of http2Servers.keys()) {
    listener.on("session", (session) => guard("accept a gRPC connection", () => admit(session)));
  }
  return counts;
}
