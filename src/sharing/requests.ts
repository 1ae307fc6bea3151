/** Reading requests of peers, and the deadlines of answering them. */
import { logger } from "../core/mod.ts";
import type { ByteStream } from "../network/mod.ts";
import { FrameReader, MAX_REQUEST_BYTES, type Request, RequestJson } from "./messages.ts";

/** Longest wait for a request to be complete. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** A peer that takes nothing for so long is cut off. */
export const SEND_STALL_MS = 30_000;

const log = logger("sharing");

/** The deadline of the request, then of each piece of the answer. @returns Ends it. */
export function armed(
  abort: AbortController,
  ms: number,
  watch: { touch: () => void },
): () => void {
  let timer = setTimeout(() => abort.abort(), ms);
  let touchedAt = performance.now();
  watch.touch = () => {
    const now = performance.now();
    if (now - touchedAt < 1_000 && ms === SEND_STALL_MS) return;
    touchedAt = now;
    ms = SEND_STALL_MS;
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(), ms);
  };
  return () => clearTimeout(timer);
}

/** A request; undefined for anything else. */
export async function readRequest(
  stream: ByteStream,
  signal: AbortSignal,
): Promise<Request | undefined> {
  try {
    const reader = new FrameReader(stream);
    const message = await reader.message(MAX_REQUEST_BYTES, signal);
    await reader.end(signal);
    const request = RequestJson().safeParse(message);
    return request.success ? request.data : undefined;
  } catch (failure) {
    signal.throwIfAborted();
    log.debug("A peer sent no request", { peerId: stream.peerId, error: failure });
    return undefined;
  }
}
