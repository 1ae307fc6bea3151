/** One server-sent event. */
export interface ServerEvent {
  /** Its kind; `message` where it names none. */
  readonly event: string;
  readonly data: string;
}

/** Longest line that is kept; the daemon writes none that long, and the page must not fill up. */
const MAX_LINE = 4_194_304;

/**
 * Reads server-sent events (HTML Standard, section 9.2) from a body. `EventSource` would do, but it
 * sends no token, and does not tell why it was turned away.
 *
 * @param onAlive Told of every piece that comes, heartbeats too.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  onAlive?: () => void,
): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let [rest, event, data] = ["", "message", ""];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onAlive?.();
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r/);
      rest = (lines.pop() ?? "").slice(0, MAX_LINE);
      for (const line of lines) {
        if (line.startsWith("event:")) event = line.slice(6).trim();
        else if (line.startsWith("data:")) data += line.slice(5).trimStart();
        else if (line === "" && data !== "") {
          yield { event, data };
          [event, data] = ["message", ""];
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined); // it ended by itself
  }
}
