/** Bounds on what a peer makes gossipsub do; the library has some, and none on speed. */
import type { PeerId, Stream } from "@libp2p/interface";
import { pause } from "../core/mod.ts";
import type { PeerBudgets } from "./peer_budgets.ts";
import { StreamBrake } from "./stream_brake.ts";

/** Bytes that wait for a peer that reads slowly; messages behind them are lost to it, as Go does. */
const MAX_UNSENT_BYTES = 16 * 1_048_576;
/** Past that the stream is given up: not even what is no message is read. */
export const MAX_STREAM_BUFFER = 2 * MAX_UNSENT_BYTES;
/** Messages remembered as seen, so that none arrives twice. */
const MAX_SEEN = 65_536;
/** Bytes of messages kept for those who missed them. */
const MAX_KEPT_BYTES = 32 * 1_048_576;
/** Messages of one peer between two turns of everybody else. */
const TURN = 8;

interface Message {
  readonly topic: string;
  readonly data?: Uint8Array;
}

interface Rpc {
  subscriptions: readonly unknown[];
  messages: readonly Message[];
  control?: Partial<Record<string, readonly { messageIDs?: readonly unknown[] }[]>>;
}

type Source = AsyncIterable<{ byteLength: number }>;

/** The parts of gossipsub that are bounded here; some are not its public interface. */
export interface GossipsubParts {
  readonly streamsInbound: ReadonlyMap<string, { readonly rawStream: Stream }>;
  readonly streamsOutbound: ReadonlyMap<string, { readonly rawStream: Stream }>;
  readonly subscriptions: ReadonlySet<string>;
  readonly seenCache: { readonly entries: Map<string, unknown> };
  readonly mcache: MessageCache;
  readonly score: { readonly deliveryRecords: DeliveryRecords };
  pipePeerReadStream(peerId: PeerId, source: Source): Promise<void>;
  handleReceivedRpc(from: PeerId, rpc: Rpc): Promise<void>;
  handleReceivedMessage(from: PeerId, message: Message): Promise<void>;
  sendRpc(peerId: string, rpc: Rpc): boolean;
}

interface MessageCache {
  readonly msgs: Map<string, unknown>;
  put(id: { readonly msgIdStr: string }, message: Message, isValid?: boolean): boolean;
}

interface DeliveryRecords {
  readonly records: Map<string, unknown>;
  readonly queue: { shift(): { msgId: string } | undefined };
}

/** What was not done. */
export interface PubsubCounts {
  /** Messages of topics that nobody here listens to. */
  unwanted: number;
  /** Messages that a peer read too slowly to get. */
  unsent: number;
}

/**
 * Has every peer pay for what it sends: a unit a frame, message, subscription and control entry.
 * While one owes, its streams are not read, which fills the window that it may send into.
 */
export function guardGossipsub(
  router: GossipsubParts,
  budgets: PeerBudgets,
  counts: PubsubCounts,
): void {
  const brakes = new Map<string, StreamBrake>();
  const pay = async (peerId: string, units: number, bytes = 0) => {
    const ms = budgets.charge(peerId, units, bytes);
    if (ms > 0) await pause(ms, brakes.get(peerId)?.closed);
  };
  slowReading(router, brakes, pay);
  boundKept(router.mcache);
  const handleRpc = router.handleReceivedRpc.bind(router);
  router.handleReceivedRpc = async (from, rpc) => {
    const messages = rpc.messages.filter(({ topic }) => router.subscriptions.has(topic));
    counts.unwanted += rpc.messages.length - messages.length;
    await pay(from.toString(), unitsOf(rpc));
    await handleRpc(from, { ...rpc, messages });
  };
  const handleMessage = router.handleReceivedMessage.bind(router);
  let handled = 0;
  router.handleReceivedMessage = async (from, message) => {
    // Signatures are checked without a pause in between.
    if (++handled % TURN === 0) await pause(0);
    await pay(from.toString(), 1);
    await handleMessage(from, ownBytes(message));
    forgetOldest(router);
  };
  const send = router.sendRpc.bind(router);
  router.sendRpc = (peerId, rpc) => {
    const stream = router.streamsOutbound.get(peerId)?.rawStream;
    const isSlow = (stream?.writeBufferLength ?? 0) > MAX_UNSENT_BYTES;
    if (!isSlow || rpc.messages.length === 0) return send(peerId, rpc);
    counts.unsent += rpc.messages.length;
    return false;
  };
}

function slowReading(
  router: GossipsubParts,
  brakes: Map<string, StreamBrake>,
  pay: (peerId: string, units: number, bytes: number) => Promise<void>,
): void {
  const read = router.pipePeerReadStream.bind(router);
  router.pipePeerReadStream = async (peerId, source) => {
    const id = peerId.toString();
    const stream = router.streamsInbound.get(id)?.rawStream;
    if (!stream) return await read(peerId, source);
    const brake = new StreamBrake(stream);
    brakes.set(id, brake);
    try {
      await read(peerId, braked(source, brake, (bytes) => pay(id, 1, bytes)));
    } finally {
      if (brakes.get(id) === brake) brakes.delete(id);
    }
  };
}

async function* braked(
  source: Source,
  brake: StreamBrake,
  pay: (bytes: number) => Promise<void>,
): Source {
  for await (const frame of source) {
    const bytes = frame.byteLength + lengthOfLength(frame.byteLength);
    await pay(bytes);
    yield frame; // resumed when it has been handled
    brake.release(bytes);
  }
}

function unitsOf({ subscriptions, messages, control = {} }: Rpc): number {
  let units = subscriptions.length;
  for (const entries of Object.values(control)) {
    for (const { messageIDs } of entries ?? []) units += 1 + (messageIDs?.length ?? 0) / 64;
  }
  // Those that are wanted cost another one.
  return units + messages.length / 8;
}

// The library keeps all of the last five seconds.
function boundKept(cache: MessageCache): void {
  const kept: { readonly id: string; readonly bytes: number }[] = [];
  let sum = 0;
  const put = cache.put.bind(cache);
  cache.put = (id, message, isValid) => {
    if (!put(id, message, isValid)) return false;
    const bytes = message.data?.byteLength ?? 0;
    kept.push({ id: id.msgIdStr, bytes });
    sum += bytes;
    for (let [oldest] = kept; oldest; [oldest] = kept) {
      if (sum <= MAX_KEPT_BYTES && cache.msgs.has(oldest.id)) break;
      cache.msgs.delete(oldest.id);
      sum -= oldest.bytes;
      kept.shift();
    }
    return true;
  };
}

/** A copy where the bytes are views of something much longer, which would be kept with them. */
export function ownBytes<Fields extends object>(fields: Fields): Fields {
  const entries = Object.entries(fields).map(([name, value]: [string, unknown]) => [
    name,
    value instanceof Uint8Array && value.buffer.byteLength > 2 * value.byteLength
      ? value.slice()
      : value,
  ]);
  return Object.fromEntries(entries) as Fields;
}

function forgetOldest({ seenCache, score }: GossipsubParts): void {
  for (const id of seenCache.entries.keys()) {
    if (seenCache.entries.size <= MAX_SEEN) break;
    seenCache.entries.delete(id);
  }
  const { records, queue } = score.deliveryRecords;
  while (records.size > MAX_SEEN) {
    const oldest = queue.shift();
    if (!oldest) break;
    records.delete(oldest.msgId);
  }
}

function lengthOfLength(length: number): number {
  return Math.max(1, Math.ceil(Math.log2(length + 1) / 7));
}
