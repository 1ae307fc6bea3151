import type { Stream } from "@libp2p/interface";
import { Buffer } from "node:buffer";
import { DaemonError, withDeadline } from "../core/mod.ts";

/** Most bytes given to a stream at a time; Yamux makes one frame of each write, and frames over 1 MiB end the connection on rust-libp2p. */
export const MAX_WRITE_BYTES = 65_536;
/** Streams of one of our own protocols, in and out each, per connection; reliability section 2. */
export const MAX_STREAMS_PER_PROTOCOL = 64;

/**
 * Writes everything, waiting for the peer whenever its window is full, so memory stays flat.
 *
 * @throws {DaemonError} `aborted` if the stream ends first, `cancelled` if the signal aborts.
 */
export async function writeAll(
  stream: Stream,
  bytes: Uint8Array,
  signal?: AbortSignal,
  mostBytes: number = MAX_WRITE_BYTES,
): Promise<void> {
  for (let offset = 0; offset < bytes.byteLength; offset += mostBytes) {
    signal?.throwIfAborted();
    if (stream.writeStatus !== "writable") {
      throw new DaemonError("aborted", "Cannot write to the stream: it is closed");
    }
    if (!stream.send(bytes.subarray(offset, offset + mostBytes))) {
      await drained(stream, signal);
    }
  }
}

/** Waits for the `drain` event; `stream.onDrain()` holds back only the first time (measured). */
export function drained(stream: Stream, signal?: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const finish = (failure?: DaemonError) => {
    stream.removeEventListener("drain", onDrain);
    stream.removeEventListener("close", onClose);
    signal?.removeEventListener("abort", onAbort);
    if (failure) reject(failure);
    else resolve();
  };
  const onDrain = () => finish();
  const onClose = () => finish(new DaemonError("aborted", "Cannot write to the stream: it closed"));
  const onAbort = () => finish(new DaemonError("cancelled", "Writing to the stream was cancelled"));
  stream.addEventListener("drain", onDrain);
  stream.addEventListener("close", onClose);
  signal?.addEventListener("abort", onAbort);
  if (signal?.aborted) onAbort();
  else if (stream.status !== "open" && stream.status !== "closing") onClose();
  return promise;
}

/**
 * Reads until the peer ends its side.
 *
 * @throws {DaemonError} `resource_exhausted` over `maxBytes`, `deadline_exceeded` after `timeoutMs`.
 */
export function readAll(
  stream: Stream,
  limits: { maxBytes: number; timeoutMs: number },
): Promise<Uint8Array> {
  return withDeadline(
    received(stream, limits.maxBytes),
    limits.timeoutMs,
    "read the peer's answer",
  );
}

// Not by iterating: that waits for ever for an end which came together with the negotiation.
function received(stream: Stream, maxBytes: number): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const chunks: Uint8Array[] = [];
  let size = 0;
  const end = () => resolve(new Uint8Array(Buffer.concat(chunks)));
  const hasEnded = stream.readableEnded;
  stream.addEventListener("message", ({ data }) => {
    size += data.byteLength;
    if (size <= maxBytes) chunks.push(data.subarray());
    else reject(new DaemonError("resource_exhausted", `The peer sent over ${maxBytes} bytes`));
  });
  stream.addEventListener("end", () => {
    if (stream.status !== "reset" && stream.status !== "aborted") end();
  });
  stream.addEventListener("close", ({ error }) => {
    if (error) reject(error);
    else end();
  });
  if (stream.status === "reset" || stream.status === "aborted") {
    reject(new DaemonError("aborted", "Cannot read from the peer: the stream broke"));
  }
  if (hasEnded) queueMicrotask(end); // behind what waits, which is told in a moment
  return promise;
}

interface WindowedStream {
  state?: unknown;
  recvWindow?: unknown;
  recvWindowCapacity?: unknown;
  sendWindowUpdate?: () => void;
}

/** Yamux's name for a stream both sides know, in which no flag waits for the next frame. */
const ESTABLISHED = 3;

/**
 * Lets a peer send up to so many bytes ahead once what it sends is being read, and tells it of room
 * by halves of that: Yamux alone begins with 256 KiB and answers every frame with one (measured).
 */
export function widenWindow(stream: Stream, bytes: number): void {
  const windowed = stream as unknown as WindowedStream;
  const { sendWindowUpdate } = windowed;
  if (typeof windowed.recvWindow !== "number" || !sendWindowUpdate) return;
  windowed.sendWindowUpdate = () => {
    const { state, recvWindow, recvWindowCapacity } = windowed;
    const [room, whole] = [Number(recvWindowCapacity), Number(recvWindow)];
    if (state === ESTABLISHED) {
      if (room * 2 > whole) return;
      windowed.recvWindow = Math.max(whole, bytes);
    }
    sendWindowUpdate.call(stream);
  };
}
