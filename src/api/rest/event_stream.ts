import { toDaemonError } from "../../core/mod.ts";

/** Between two comments that keep an idle stream, and everything on its way, awake. */
export const HEARTBEAT_MS = 15_000;

/** How {@link eventStream} behaves. */
export interface EventStreamInit {
  /** Told once, when the stream ends or its reader leaves. */
  onEnd(): void;
  /** @default {15_000} */
  heartbeatMs?: number;
}

/**
 * Writes items as server-sent events (HTML Standard, section 9.2): a `data` line each, a comment
 * as heartbeat, `event: end` at the end, and `event: error` with {error, message} after a failure.
 *
 * One item is taken when the reader has room for it, so a slow reader fills only the queue of its
 * own subscription.
 */
export function eventStream(items: AsyncIterable<unknown>, init: EventStreamInit): Response {
  const iterator = items[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  let heartbeat: ReturnType<typeof setInterval> | undefined;
  const end = () => {
    clearInterval(heartbeat);
    init.onEnd();
  };
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (text: string) => controller.enqueue(encoder.encode(text));
      send(": open\n\n");
      heartbeat = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) send(": heartbeat\n\n");
      }, init.heartbeatMs ?? HEARTBEAT_MS);
    },
    async pull(controller) {
      const { text, isLast } = await nextEvent(iterator);
      try {
        controller.enqueue(encoder.encode(text));
        if (isLast) controller.close();
      } catch {
        // the reader left while we waited
      }
      if (isLast) end();
    },
    async cancel() {
      end();
      await iterator.return?.();
    },
  }, { highWaterMark: 2 });
  return new Response(body, {
    headers: { "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no" },
  });
}

async function nextEvent(
  iterator: AsyncIterator<unknown>,
): Promise<{ text: string; isLast: boolean }> {
  try {
    const { done, value } = await iterator.next();
    if (done) return { text: "event: end\ndata: {}\n\n", isLast: true };
    return { text: `data: ${JSON.stringify(value)}\n\n`, isLast: false };
  } catch (failure) {
    const { code, message } = toDaemonError(failure);
    const data = JSON.stringify({ error: code, message });
    return { text: `event: error\ndata: ${data}\n\n`, isLast: true };
  }
}
