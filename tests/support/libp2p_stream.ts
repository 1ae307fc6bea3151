/** A libp2p stream as {@link ByteStream}. */
import type { Stream } from "@libp2p/interface";
import type { ByteStream } from "./byte_stream.ts";

/** How bytes are written; the reading side is the same for everybody. */
export type StreamWriter = (stream: Stream, bytes: Uint8Array) => Promise<void>;

/** Reads by iteration; writes with `writer`. */
export function libp2pStream(stream: Stream, writer: StreamWriter): ByteStream {
  const chunks = stream[Symbol.asyncIterator]();
  return {
    read: async () => {
      const { done, value } = await chunks.next();
      return done ? undefined : value.subarray();
    },
    write: (bytes) => writer(stream, bytes),
    closeWrite: () => stream.close(),
    close: () => void stream.close().catch((failure) => stream.abort(failure as Error)),
  };
}
