/** A p2pd from TypeScript: start one, ask it, take streams. */
export { DEFAULT_DAEMON_LISTEN, P2PDaemonBuilder } from "./builder.ts";
export { P2PClient, type P2PPeer, type P2PStream, type P2PValue } from "./client.ts";
export { type DaemonEnding, P2PDaemon } from "./daemon.ts";
export {
  ConnectionError,
  DhtError,
  InvalidResponseError,
  IoError,
  NotRunningError,
  P2PError,
  ProcessError,
  ProtobufError,
  ProtocolError,
  StreamError,
  TimeoutError,
} from "./errors.ts";
