import type { Libp2p } from "@libp2p/interface";
import { DaemonError } from "../core/mod.ts";

/** Puts one gate before every protocol that is served on a node from now on, by whomever. */
export function gateProtocols(
  node: Libp2p,
  mayUse: ((peerId: string, protocol: string) => boolean) | undefined,
): void {
  if (!mayUse) return;
  const handle = node.handle.bind(node);
  node.handle = (protocols, handler, options) =>
    handle(protocols, (stream, connection) => {
      if (mayUse(connection.remotePeer.toString(), stream.protocol)) {
        return handler(stream, connection);
      }
      stream.abort(new DaemonError("permission_denied", "This daemon serves trusted peers only"));
    }, options);
}
