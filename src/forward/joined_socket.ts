import type { Socket } from "node:net";
import { DaemonError } from "../core/mod.ts";
import type { PeerStream } from "../network/mod.ts";

/**
 * Passes bytes between a socket and a stream until both directions have ended. Each is read only as
 * fast as the other takes it, so memory stays flat; a half-close passes through; what breaks one
 * side resets the other, so that nobody takes a broken connection for a finished one.
 *
 * @param socket Paused, with half-closes allowed.
 * @throws {DaemonError} `aborted` if one side broke.
 */
export async function joinSocket(socket: Socket, stream: PeerStream): Promise<void> {
  try {
    await Promise.all([passToPeer(socket, stream), passToSocket(stream, socket)]);
  } catch (cause) {
    stream.abort("The program's side of the connection broke");
    socket.resetAndDestroy();
    throw new DaemonError("aborted", "The connection broke", { cause });
  }
}

async function passToPeer(socket: Socket, stream: PeerStream): Promise<void> {
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) await stream.write(chunk);
  await stream.closeWrite();
}

async function passToSocket(stream: PeerStream, socket: Socket): Promise<void> {
  for (let chunk = await stream.read(); chunk; chunk = await stream.read()) {
    if (!socket.writable) throw new DaemonError("aborted", "The program does not read any more");
    if (!socket.write(chunk)) await roomIn(socket);
  }
  socket.end();
}

function roomIn(socket: Socket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => {
    socket.removeListener("drain", done);
    socket.removeListener("close", done);
    resolve();
  };
  socket.on("drain", done);
  socket.on("close", done);
  if (socket.destroyed) done();
  return promise;
}
