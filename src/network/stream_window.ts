/** How much a peer may send on a stream before we say that it may go on; Yamux counts it. */
import type { Stream } from "@libp2p/interface";

/** Parts of Yamux's streams that are not their public interface. */
interface WindowedStream {
  recvWindow?: unknown;
  maxStreamWindowSize?: number;
  sendWindowUpdate?: () => void;
}

/**
 * Grants everything at once. A Yamux stream begins with a window of 256 KiB and asks for more frame
 * by frame; when it is known what comes, that is half the frames, and no waiting (measured).
 */
export function grantWindow(stream: Stream, bytes: number): void {
  const windowed = stream as unknown as WindowedStream;
  if (typeof windowed.recvWindow !== "number" || !windowed.sendWindowUpdate) return;
  if (windowed.recvWindow >= bytes) return;
  windowed.recvWindow = bytes;
  windowed.sendWindowUpdate();
  windowed.sendWindowUpdate = () => undefined;
}

/**
 * Has the peer wait while so much is unread: Yamux itself asks for more whether or not anybody
 * reads. At most twice as much is unread then, or what was granted before.
 *
 * @returns To be called whenever something was read.
 */
export function paceWindow(stream: Stream, bytes: number, unread: () => number): () => void {
  const windowed = stream as unknown as WindowedStream;
  if (typeof windowed.recvWindow !== "number" || !windowed.sendWindowUpdate) return () => undefined;
  const update = windowed.sendWindowUpdate.bind(stream);
  let isHeld = false;
  // What was granted already stays so: the talk about the protocol may have doubled it.
  windowed.maxStreamWindowSize = bytes;
  windowed.recvWindow = Math.min(bytes, windowed.recvWindow);
  windowed.sendWindowUpdate = () => {
    isHeld = unread() >= bytes;
    if (!isHeld) update();
  };
  return () => {
    if (!isHeld || unread() >= bytes || stream.status !== "open") return;
    isHeld = false;
    update();
  };
}
