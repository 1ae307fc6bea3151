import type { PeerInfo } from "@libp2p/interface";
import { systemClock } from "../../core/mod.ts";

/** How long a peer that was told of is no news. */
const NEWS_MS = 60_000;
/** Peers remembered for that. */
const MAX_PEERS = 4_096;

/** The part of the library's DHT that tells of peers; not its public interface. */
export interface PeerTeller {
  safeDispatchEvent(type: string, event: { detail: PeerInfo }): boolean;
}

/**
 * Passes on what answers tell of peers only where it is news. Every answer names twenty of them,
 * mostly the same, and the library stores each anew, ourselves included (measured: half of a query).
 *
 * @param selfId This node's id.
 */
export function tellNews(teller: PeerTeller, selfId: () => string): void {
  const told = new Map<string, number>();
  const tell = teller.safeDispatchEvent.bind(teller);
  teller.safeDispatchEvent = (type, event) => {
    if (type !== "peer") return tell(type, event);
    const { id, multiaddrs } = event.detail;
    const peerId = id.toString();
    if (peerId === selfId()) return true;
    const news = `${peerId} ${multiaddrs.join()}`;
    const now = systemClock.monotonic();
    if ((told.get(news) ?? -Infinity) + NEWS_MS > now) return true;
    told.delete(news);
    told.set(news, now);
    const [oldest] = told.keys();
    if (told.size > MAX_PEERS && oldest !== undefined) told.delete(oldest);
    return tell(type, event);
  };
}
