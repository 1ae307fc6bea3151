import type { Connection } from "@libp2p/interface";
import { DaemonError } from "../core/mod.ts";
import { bytesRead } from "./byte_meter.ts";

/** More than a peer that came back says on its old link. */
const BUSY_BYTES = 16 * 1_024;

/**
 * Asks a peer, and ends its links if it does not answer. One on which much arrives meanwhile is
 * busy, not dead.
 *
 * @param ask Rejects when no answer came in time.
 * @returns Why it was, if the peer did not answer.
 */
export async function endSilentLinks(
  links: readonly Connection[],
  ask: () => Promise<unknown>,
): Promise<unknown> {
  const read = links.map(bytesRead);
  try {
    await ask();
    return undefined;
  } catch (failure) {
    const reason = new DaemonError("deadline_exceeded", "The peer does not answer pings");
    for (const [at, link] of links.entries()) {
      if (bytesRead(link) - (read[at] ?? 0) <= BUSY_BYTES) link.abort(reason);
    }
    return failure;
  }
}
