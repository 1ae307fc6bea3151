import { readToEnd } from "./datagrams.ts";
import type { ConnReadWriter } from "./plugin.ts";

/**
 * Everything the other side sends until it ends.
 *
 * @throws {DaemonError} `resource_exhausted` over the limit, `deadline_exceeded`; it is closed then.
 */
export function readMessage(
  readWriter: Pick<ConnReadWriter, "read" | "abort">,
  maxBytes: number,
  timeoutMs: number,
): Promise<Uint8Array> {
  return readToEnd(
    {
      read: async () => await readWriter.read() ?? undefined,
      abort: () => readWriter.abort(),
    },
    maxBytes,
    timeoutMs,
  );
}
