import type { Stream, StreamMessageEvent } from "@libp2p/interface";
import type { Buffer } from "node:buffer";
import { DaemonError, guard, type LocalSocket, logger } from "../core/mod.ts";

/** Bytes of a stream that may wait for the local program; past that the stream is not read. */
const MAX_WAITING_BYTES = 256 * 1024;

const log = logger("p2pd");

/** How bytes are given to streams; the network part's rules. */
export interface StreamWriting {
  /** Most bytes in one write. */
  readonly maxBytes: number;
  /** Resolves when a full stream takes more; rejects when it closed. */
  drained(stream: Stream): Promise<void>;
  /** Lets the peer send further ahead once what it sends is read. */
  widen(stream: Stream): void;
}

/** What {@link pipeStream} works on. */
export interface PipeInit {
  stream: Stream;
  socket: LocalSocket;
  /** What was read of the socket before. */
  rest: Uint8Array;
  /** Whether the socket's client has ended its side already. */
  hasEnded: boolean;
  writing: StreamWriting;
}

/**
 * Joins a local socket and a stream until both directions have ended. Each side is read only as
 * fast as the other takes it, so no more than a window of either is in memory; half-closes pass
 * through, and what breaks one side breaks the other. The stream may come paused.
 */
export async function pipeStream(init: PipeInit): Promise<void> {
  const { stream, socket } = init;
  stream.inactivityTimeout = Number.POSITIVE_INFINITY;
  // While it waits its window bounds it; the library would end it at a limit below that.
  stream.maxReadBufferLength = Number.POSITIVE_INFINITY;
  init.writing.widen(stream);
  try {
    await Promise.all([passToStream(init), passToSocket(init)]);
  } catch (cause) {
    log.debug("A stream broke", { protocol: stream.protocol, status: stream.status, cause });
    if (stream.status === "open" || stream.status === "closing") {
      stream.abort(new DaemonError("aborted", "The local program's side broke", { cause }));
    }
    socket.destroy();
  }
}

function passToStream({ stream, socket, rest, hasEnded, writing }: PipeInit): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const attempt = (work: () => Promise<void>) => void work().catch(reject);
  const pass = (chunk: Uint8Array) => {
    if (sendAll(stream, chunk, writing)) return;
    socket.pause();
    attempt(async () => {
      await writing.drained(stream);
      socket.resume();
    });
  };
  const end = () => attempt(async () => resolve(await stream.close()));
  socket.on("data", (chunk: Buffer) => {
    try {
      pass(chunk);
    } catch (failure) {
      reject(failure);
    }
  });
  socket.once("end", end);
  socket.once("close", () => {
    if (!socket.readableEnded) reject(new DaemonError("aborted", "The local socket closed"));
  });
  attempt(async () => {
    if (rest.byteLength > 0 && !sendAll(stream, rest, writing)) await writing.drained(stream);
    if (hasEnded) end();
    else socket.resume();
  });
  return promise;
}

function sendAll(stream: Stream, bytes: Uint8Array, { maxBytes }: StreamWriting): boolean {
  let hasRoom = true;
  for (let at = 0; at < bytes.byteLength; at += maxBytes) {
    hasRoom = stream.send(bytes.subarray(at, at + maxBytes));
  }
  return hasRoom;
}

function passToSocket({ stream, socket }: PipeInit): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const isBroken = () => stream.status === "reset" || stream.status === "aborted";
  // A stream whose connection is lost ends like one that the peer has ended, but without its word.
  let isEnded = stream.remoteWriteStatus === "closed" && stream.status !== "closed";
  stream.addEventListener("remoteCloseWrite", () => isEnded = true);
  const holdBack = () => {
    const isFull = socket.writableLength > MAX_WAITING_BYTES;
    if (isFull && stream.readStatus === "readable") stream.pause();
  };
  const finish = () => {
    if (isBroken()) return reject(new DaemonError("aborted", "The peer reset the stream"));
    if (!isEnded) return reject(new DaemonError("aborted", "The connection to the peer is lost"));
    socket.end(() => resolve());
  };
  stream.addEventListener("message", ({ data }: StreamMessageEvent) => {
    if (socket.destroyed) return;
    let hasRoom = true;
    for (const part of data instanceof Uint8Array ? [data] : data) hasRoom = socket.write(part);
    // Later: resume() hands out what waits before it opens the window, and would undo a pause.
    if (!hasRoom) queueMicrotask(holdBack);
  });
  socket.on("drain", () =>
    guard("go on reading a stream", () => {
      if (stream.readStatus === "paused") stream.resume();
    }));
  socket.once("close", () => {
    if (socket.writableFinished) resolve();
    else reject(new DaemonError("aborted", "The local program does not read"));
  });
  stream.addEventListener("end", finish);
  stream.addEventListener("close", () => {
    if (isBroken()) finish();
  });
  // What came together with the answer about the protocol waits behind an end told already.
  const hasEnded = stream.readableEnded;
  if (!isBroken() && stream.readStatus === "paused") stream.resume();
  if (hasEnded || isBroken()) finish();
  return promise;
}
