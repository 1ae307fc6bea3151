import type { PeerId, PeerStore } from "@libp2p/interface";
import { pause, systemClock } from "../../core/mod.ts";
import type { PeerBudgets } from "../peer_budgets.ts";

/** Peers named in one message; as many as a bucket has. */
const MAX_NAMED = 20;
/** Addresses of each. */
const MAX_ADDRESSES = 32;
/** Longest wait before an answer; peers give up after 10 s. */
const MAX_WAIT_MS = 5_000;

/** Between two notes of where a peer that provides is; it is connected, so identify told as well. */
const NOTE_INTERVAL_MS = 10_000;
/** Peers remembered for that. */
const MAX_NOTED = 4_096;

/** Nobody reads what comes back. */
const NOTHING = { addresses: [], metadata: new Map(), tags: new Map(), protocols: [] };

interface Provider {
  readonly multiaddrs: readonly Uint8Array[];
}

interface Message {
  readonly record?: Uint8Array;
  readonly providers?: readonly Provider[];
}

/** The part of the library's DHT that answers other peers; not its public interface. */
export interface DhtRpc {
  readonly handlers: { readonly ADD_PROVIDER: { peerStore: Pick<PeerStore, "merge"> } };
  handleMessage(peerId: PeerId, message: Message): Promise<unknown>;
}

/**
 * Has every peer pay for what it asks: who asks for too much is answered late, and each of its
 * streams asks nothing else until then. What a message names is cut to what honest ones do.
 */
export function guardRpc(rpc: DhtRpc, budgets: PeerBudgets): void {
  noteSeldom(rpc.handlers.ADD_PROVIDER);
  const handle = rpc.handleMessage.bind(rpc);
  rpc.handleMessage = async (peerId, message) => {
    const ms = budgets.charge(peerId.toString(), 1, message.record?.byteLength ?? 0);
    if (ms > 0) await pause(Math.min(ms, MAX_WAIT_MS));
    if (!message.providers?.length) return await handle(peerId, message);
    const providers = message.providers.slice(0, MAX_NAMED).map((one) => ({
      ...one,
      multiaddrs: one.multiaddrs.slice(0, MAX_ADDRESSES),
    }));
    return await handle(peerId, { ...message, providers });
  };
}

// Storing a peer's addresses costs a hundred times what storing that it provides does.
function noteSeldom(handler: { peerStore: Pick<PeerStore, "merge"> }): void {
  const { peerStore } = handler;
  const noted = new Map<string, number>();
  const merge: PeerStore["merge"] = async (peerId, data, options) => {
    const id = peerId.toString();
    const now = systemClock.monotonic();
    if ((noted.get(id) ?? -Infinity) + NOTE_INTERVAL_MS > now) return { id: peerId, ...NOTHING };
    noted.delete(id);
    noted.set(id, now);
    const [oldest] = noted.keys();
    if (noted.size > MAX_NOTED && oldest !== undefined) noted.delete(oldest);
    return await peerStore.merge(peerId, data, options);
  };
  handler.peerStore = { merge };
}
