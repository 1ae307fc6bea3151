/** Bounds on what a peer makes floodsub do, which has none of its own. */
import type { PeerId, Stream } from "@libp2p/interface";
import { systemClock } from "../core/mod.ts";
import { MAX_STREAM_BUFFER, type PubsubCounts } from "./gossipsub_guard.ts";
import type { PeerBudgets } from "./peer_budgets.ts";

/** Topics one peer may listen to. */
const MAX_PEER_TOPICS = 1_024;

interface PeerStreams {
  readonly peerId: PeerId;
}

/** Of one peer, by direction. */
type Streams = Partial<Record<Stream["direction"], Stream>>;

interface Message {
  readonly topic: string;
  readonly data: Uint8Array;
}

interface Rpc {
  readonly subscriptions?: readonly unknown[];
  readonly messages?: readonly Message[];
}

interface Subscription {
  readonly subscribe?: boolean;
  readonly topic?: string;
}

/** The parts of floodsub that are bounded here; some are not its public interface. */
export interface FloodsubParts {
  readonly subscriptions: ReadonlySet<string>;
  readonly topics: ReadonlyMap<string, { has(peerId: PeerId): boolean }>;
  addPeer(peerId: PeerId, stream: Stream): PeerStreams;
  processRpc(peerStreams: PeerStreams, rpc: Rpc): Promise<boolean>;
  processRpcSubOpt(peerId: PeerId, subscription: Subscription): void;
  sendRpc(peerId: PeerId, rpc: Rpc): void;
  _removePeer(peerId: PeerId): void;
}

/** The same as for gossipsub, with what floodsub has to offer: what comes is done, then it waits. */
export function guardFloodsub(
  router: FloodsubParts,
  budgets: PeerBudgets,
  counts: PubsubCounts,
): void {
  const streams = streamsOf(router);
  const handleRpc = router.processRpc.bind(router);
  router.processRpc = async (peerStreams, rpc) => {
    const { messages = [], subscriptions = [] } = rpc;
    const wanted = messages.filter(({ topic }) => router.subscriptions.has(topic));
    counts.unwanted += messages.length - wanted.length;
    const units = 1 + subscriptions.length + wanted.length + messages.length / 8;
    const bytes = messages.reduce((sum, { data }) => sum + data.byteLength, 0);
    const id = peerStreams.peerId.toString();
    const ms = budgets.charge(id, units, bytes);
    if (ms > 0) hold(streams.get(id)?.inbound, ms);
    return await handleRpc(peerStreams, { ...rpc, messages: wanted });
  };
  const send = router.sendRpc.bind(router);
  router.sendRpc = (peerId, rpc) => {
    const stream = streams.get(peerId.toString())?.outbound;
    if ((stream?.writeBufferLength ?? 0) <= MAX_STREAM_BUFFER) return send(peerId, rpc);
    counts.unsent += rpc.messages?.length ?? 0;
  };
  boundTopics(router);
}

function streamsOf(router: FloodsubParts): Map<string, Streams> {
  const streams = new Map<string, Streams>();
  const add = router.addPeer.bind(router);
  router.addPeer = (peerId, stream) => {
    const id = peerId.toString();
    streams.set(id, { ...streams.get(id), [stream.direction]: stream });
    return add(peerId, stream);
  };
  const remove = router._removePeer.bind(router);
  router._removePeer = (peerId) => {
    streams.delete(peerId.toString());
    remove(peerId);
  };
  return streams;
}

function boundTopics(router: FloodsubParts): void {
  const topicsOf = new Map<string, number>();
  const note = router.processRpcSubOpt.bind(router);
  router.processRpcSubOpt = (peerId, subscription) => {
    const { topic = "", subscribe } = subscription;
    const isKnown = router.topics.get(topic)?.has(peerId) ?? false;
    const count = topicsOf.get(peerId.toString()) ?? 0;
    if (isKnown === Boolean(subscribe)) return;
    if (subscribe && count >= MAX_PEER_TOPICS) return;
    topicsOf.set(peerId.toString(), count + (subscribe ? 1 : -1));
    note(peerId, subscription);
  };
  const remove = router._removePeer.bind(router);
  router._removePeer = (peerId) => {
    remove(peerId);
    topicsOf.delete(peerId.toString());
  };
}

function hold(stream: Stream | undefined, ms: number): void {
  if (stream?.status !== "open" || stream.readStatus !== "readable") return;
  stream.pause();
  const timer = systemClock.after(ms, () => {
    if (stream.status === "open" && stream.readStatus === "paused") stream.resume();
  });
  stream.addEventListener("close", () => timer.cancel(), { once: true });
}
