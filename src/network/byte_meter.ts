import type { Connection, StreamCloseEvent } from "@libp2p/interface";
import type { Socket } from "node:net";

/** Counts of one connection that grow. */
export interface ByteMeter {
  inBytes(): number;
  outBytes(): number;
}

interface Underneath {
  readonly maConn?: Pipe;
}

interface Pipe {
  readonly socket?: Pick<Socket, "bytesRead" | "bytesWritten">;
  dispatchEvent(event: Event): boolean;
  send(data: { readonly byteLength: number }): boolean;
}

/**
 * The bytes of a connection on the wire. A socket counts by itself; a connection over a relay has
 * none, so what passes through it is counted.
 */
export function meterOf(connection: Connection): ByteMeter {
  // libp2p keeps what is underneath to itself in its types alone.
  const { maConn } = connection as unknown as Underneath;
  const socket = maConn?.socket;
  if (socket) return { inBytes: () => socket.bytesRead, outBytes: () => socket.bytesWritten };
  return maConn ? tapped(maConn) : { inBytes: () => 0, outBytes: () => 0 };
}

/** Bytes that have arrived on a connection; 0 for one over a relay, where nobody counts. */
export function bytesRead(connection: Connection): number {
  const { maConn } = connection as unknown as Underneath;
  return maConn?.socket?.bytesRead ?? 0;
}

// A listener of our own would make the stream give away what its reader has not asked for yet, so
// what is handed to others is looked at on its way.
function tapped(pipe: Pipe): ByteMeter {
  let [inBytes, outBytes] = [0, 0];
  const dispatchEvent = pipe.dispatchEvent.bind(pipe);
  const send = pipe.send.bind(pipe);
  pipe.dispatchEvent = (event) => {
    if (event.type === "message") {
      inBytes += (event as MessageEvent<{ byteLength: number }>).data.byteLength;
    }
    return dispatchEvent(event);
  };
  pipe.send = (data) => {
    outBytes += data.byteLength;
    return send(data);
  };
  return { inBytes: () => inBytes, outBytes: () => outBytes };
}

/** How a connection ended. */
export interface ConnectionEnd {
  /** Whether this side ended it. */
  readonly isLocal: boolean;
  readonly error: Error | undefined;
}

/** Calls back once, when the connection has ended. */
export function onceEnded(connection: Connection, callback: (end: ConnectionEnd) => void): void {
  connection.addEventListener("close", (event) => {
    const { local = false, error } = event as StreamCloseEvent;
    callback({ isLocal: local, error });
  }, { once: true });
}
