/** DHT requests. */
import type { PeerId, PeerInfo } from "@libp2p/interface";
import { CID } from "multiformats/cid";
import { messageOf } from "../../core/mod.ts";
import { type Answer, deadlineOf, type LongAnswer, ok, refusal, required } from "../answer.ts";
import type { ClientSocket } from "../client_socket.ts";
import { idBytes, peerIdOf, withoutPeerId } from "../peer_ids.ts";
import {
  DHT,
  DHT_RESPONSE,
  type DhtFields,
  DhtResponse,
  type DhtResponseFields,
  type PeerInfoFields,
  RESPONSE,
} from "../wire/messages.ts";

/** The distributed hash table as requests use it. Searches end early when the signal aborts. */
export interface DhtPart {
  findPeer(peerId: PeerId, signal: AbortSignal): Promise<PeerInfo | undefined>;
  getPublicKey(peerId: PeerId, signal: AbortSignal): Promise<Uint8Array | undefined>;
  getValue(key: Uint8Array, signal: AbortSignal): Promise<Uint8Array | undefined>;
  searchValue(key: Uint8Array, signal: AbortSignal): AsyncIterable<Uint8Array>;
  putValue(key: Uint8Array, value: Uint8Array, signal: AbortSignal): Promise<void>;
  provide(cid: CID, signal: AbortSignal): Promise<void>;
  findProviders(cid: CID, count: number, signal: AbortSignal): AsyncIterable<PeerInfo>;
  closestPeers(key: Uint8Array, signal: AbortSignal): AsyncIterable<PeerId>;
}

/** Providers looked for when a request names no number, contract 3.2. */
const DEFAULT_COUNT = 20;
const NOT_FOUND = "routing: not found";

/** DHT. */
export async function dht(
  part: DhtPart | undefined,
  body: DhtFields | undefined,
  closed: AbortSignal,
): Promise<Answer> {
  if (!part) throw refusal("DHT not enabled");
  const fields = required(body);
  const signal = deadlineOf(fields.timeout, closed);
  switch (fields.type) {
    case DHT.findPeersConnectedToPeer:
      throw refusal("not supported");
    case DHT.findProviders:
    case DHT.getClosestPeers:
    case DHT.searchValue:
      return sequence(search(part, fields), fields.timeout, closed);
    case DHT.putValue: {
      const key = required(fields.key, "key");
      await part.putValue(key, required(fields.value, "value"), signal);
      return ok({ dht: { type: DHT_RESPONSE.value } });
    }
    case DHT.provide:
      await part.provide(cidOf(fields.cid), signal);
      return ok();
    default:
      return ok({ dht: await single(part, fields, signal) });
  }
}

async function single(
  part: DhtPart,
  fields: DhtFields,
  signal: AbortSignal,
): Promise<DhtResponseFields> {
  const type = DHT_RESPONSE.value;
  switch (fields.type) {
    case DHT.findPeer: {
      const peer = await part.findPeer(peerIdOf(required(fields.peer, "peer")), signal);
      if (!peer) throw refusal(NOT_FOUND);
      return { type, peer: peerInfo(peer) };
    }
    case DHT.getPublicKey: {
      const value = await part.getPublicKey(peerIdOf(required(fields.peer, "peer")), signal);
      if (!value) throw refusal(NOT_FOUND);
      return { type, value };
    }
    case DHT.getValue: {
      const value = await part.getValue(required(fields.key, "key"), signal);
      if (!value) throw refusal(NOT_FOUND);
      return { type, value };
    }
    default:
      throw refusal("Unexpected request");
  }
}

type Search = (signal: AbortSignal) => AsyncIterable<DhtResponseFields>;

// What is missing is said before the sequence begins.
function search(part: DhtPart, fields: DhtFields): Search {
  const type = DHT_RESPONSE.value;
  switch (fields.type) {
    case DHT.findProviders: {
      const cid = cidOf(fields.cid);
      const count = fields.count && fields.count > 0 ? fields.count : DEFAULT_COUNT;
      return (signal) =>
        map(part.findProviders(cid, count, signal), (peer) => ({ type, peer: peerInfo(peer) }));
    }
    case DHT.getClosestPeers: {
      const key = required(fields.key, "key");
      return (signal) =>
        map(part.closestPeers(key, signal), (peerId) => ({ type, value: idBytes(peerId) }));
    }
    default: {
      const key = required(fields.key, "key");
      return (signal) => map(part.searchValue(key, signal), (value) => ({ type, value }));
    }
  }
}

async function* map<From, To>(items: AsyncIterable<From>, change: (item: From) => To) {
  for await (const item of items) yield change(item);
}

function sequence(start: Search, timeoutS: number | undefined, closed: AbortSignal): LongAnswer {
  return {
    response: { type: RESPONSE.ok, dht: { type: DHT_RESPONSE.begin } },
    async follow(socket: ClientSocket): Promise<boolean> {
      const signal = deadlineOf(timeoutS, closed);
      try {
        for await (const item of start(signal)) {
          if (signal.aborted) break;
          await socket.write(DhtResponse.encode(item));
        }
      } catch {
        // A search that fails, or takes too long, has found what it has found.
      }
      if (closed.aborted) return false;
      await socket.write(DhtResponse.encode({ type: DHT_RESPONSE.end }));
      return true;
    },
  };
}

function peerInfo({ id, multiaddrs }: PeerInfo): PeerInfoFields {
  return {
    id: idBytes(id),
    addrs: multiaddrs.map((address) => withoutPeerId(address).bytes),
  };
}

function cidOf(bytes: Uint8Array | undefined): CID {
  const given = required(bytes, "cid");
  try {
    return CID.decode(given);
  } catch (failure) {
    throw refusal(`invalid cid: ${messageOf(failure)}`);
  }
}
