/** Single messages on libp2p streams, each behind its length. */
import type { Stream, StreamMessageEvent } from "@libp2p/interface";
import { DaemonError } from "../core/mod.ts";
import type { StreamWriting } from "./stream_pipe.ts";
import { FrameReader } from "./wire/frames.ts";
import type { Codec } from "./wire/messages.ts";

/** Writes a message that carries its length, waiting whenever the stream is full. */
export async function writeMessage(
  stream: Stream,
  bytes: Uint8Array,
  { maxBytes, drained }: StreamWriting,
): Promise<void> {
  for (let at = 0; at < bytes.byteLength; at += maxBytes) {
    if (!stream.send(bytes.subarray(at, at + maxBytes))) await drained(stream);
  }
}

/**
 * Reads the next message and leaves the stream open.
 *
 * @throws {DaemonError} `data_loss` if the stream ends first, `out_of_range` for a longer one.
 */
export function readMessage<Fields>(
  stream: Stream,
  codec: Codec<Fields>,
  maxBytes: number,
): Promise<Fields> {
  const { promise, resolve, reject } = Promise.withResolvers<Fields>();
  const frames = new FrameReader(maxBytes);
  const onMessage = ({ data }: StreamMessageEvent) => {
    try {
      frames.push(data.subarray());
      const bytes = frames.next();
      if (bytes) resolve(codec.decode(bytes));
    } catch (failure) {
      reject(failure);
    }
  };
  const onEnd = () => reject(new DaemonError("data_loss", "The stream ended before its message"));
  stream.addEventListener("message", onMessage);
  stream.addEventListener("end", onEnd);
  stream.addEventListener("close", onEnd);
  if (stream.readableEnded) onEnd();
  else if (stream.readStatus === "paused") stream.resume();
  return promise.finally(() => {
    stream.removeEventListener("message", onMessage);
    stream.removeEventListener("end", onEnd);
    stream.removeEventListener("close", onEnd);
    // What comes now is not asked for; without a listener it would pile up.
    stream.addEventListener("message", () => undefined);
  });
}
