import type { PeerId } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import type { CID } from "multiformats/cid";
import type { LocalSocket } from "../../core/mod.ts";
import { peerIdOf } from "../peer_ids.ts";
import {
  CONN_MANAGER,
  DHT,
  DHT_RESPONSE,
  type DhtFields,
  DhtResponse,
  type DhtResponseFields,
  type PeerInfoFields,
  PUBSUB,
  PubsubMessage,
  type PubsubMessageFields,
  REQUEST,
  type StreamInfoFields,
} from "../wire/messages.ts";
import { ask, exchange, readNext } from "./control.ts";
import { DhtError, InvalidResponseError, ProtocolError, StreamError } from "./errors.ts";
import { StreamListener } from "./stream_listener.ts";

/** A peer and where it is. */
export interface P2PPeer {
  readonly peerId: string;
  readonly addrs: readonly string[];
}

/** A stream to a program at another peer: the socket carries its bytes and nothing else. */
export interface P2PStream {
  readonly peerId: string;
  readonly addr: string;
  readonly protocol: string;
  readonly socket: LocalSocket;
}

/** A value that was found. */
export interface P2PValue {
  readonly value: Uint8Array;
}

/** Takes a stream that a peer opened. */
export type StreamTaker = (stream: P2PStream) => void;

/** Asks a p2pd over its control socket; each request has a connection of its own. */
export class P2PClient {
  readonly #address: string;
  #listener: StreamListener | undefined;

  /** @param address Control multiaddr, such as `/unix/tmp/p2pd.sock`. */
  constructor(address: string) {
    this.#address = address;
  }

  /** The daemon's peer id. */
  async identify(): Promise<string> {
    return (await this.info()).peerId;
  }

  /** The daemon's peer id and listen addresses. */
  async info(): Promise<P2PPeer> {
    const { identify } = await ask(this.#address, { type: REQUEST.identify });
    return toPeer(present(identify, "identify"));
  }

  /** Connects to a peer. */
  async connect(peerId: string, addrs: readonly string[], timeoutS?: number): Promise<void> {
    const connect = {
      peer: idOf(peerId),
      addrs: addrs.map((addr) => multiaddr(addr).bytes),
      ...timeout(timeoutS),
    };
    await ask(this.#address, { type: REQUEST.connect, connect }, timeoutS);
  }

  /** Closes the connections to a peer. */
  async disconnect(peerId: string): Promise<void> {
    await ask(this.#address, { type: REQUEST.disconnect, disconnect: { peer: idOf(peerId) } });
  }

  /** The connected peers. */
  async listPeers(): Promise<P2PPeer[]> {
    const { peers = [] } = await ask(this.#address, { type: REQUEST.listPeers });
    return peers.map(toPeer);
  }

  /** Opens a stream to a peer, of the first of the protocols that it knows. */
  async streamOpen(
    peerId: string,
    protocols: readonly string[],
    timeoutS?: number,
  ): Promise<P2PStream> {
    const streamOpen = { peer: idOf(peerId), proto: [...protocols], ...timeout(timeoutS) };
    try {
      const request = { type: REQUEST.streamOpen, streamOpen };
      const { response, socket } = await exchange(this.#address, request, timeoutS);
      return toStream(present(response.streamInfo, "streamInfo"), socket.takeOver());
    } catch (failure) {
      if (!(failure instanceof ProtocolError)) throw failure;
      throw new StreamError(failure.message, { cause: failure });
    }
  }

  /**
   * Takes the streams of protocols that peers open.
   *
   * @param options.balanced True shares a protocol with other programs in turn.
   */
  async registerStreamHandler(
    protocols: readonly string[],
    take: StreamTaker,
    options: { balanced?: boolean } = {},
  ): Promise<void> {
    this.#listener ??= await StreamListener.open();
    this.#listener.add(protocols, (info, socket) => take(toStream(info, socket)));
    const { balanced = false } = options;
    const streamHandler = { addr: this.#listener.address, proto: [...protocols], balanced };
    await ask(this.#address, { type: REQUEST.streamHandler, streamHandler });
  }

  /** Stores a value in the DHT. */
  async dhtPutValue(key: Uint8Array, value: Uint8Array, timeoutS?: number): Promise<void> {
    await this.#dht({ type: DHT.putValue, key, value, ...timeout(timeoutS) });
  }

  /** Finds a value in the DHT. @throws {DhtError} if there is none. */
  async dhtGetValue(key: Uint8Array, timeoutS?: number): Promise<P2PValue> {
    const found = await this.#dht({ type: DHT.getValue, key, ...timeout(timeoutS) });
    return { value: present(found?.value, "value") };
  }

  /** Finds a peer. @throws {DhtError} if it is not found. */
  async dhtFindPeer(peerId: string, timeoutS?: number): Promise<P2PPeer> {
    const request = { type: DHT.findPeer, peer: idOf(peerId), ...timeout(timeoutS) };
    return toPeer(present((await this.#dht(request))?.peer, "peer"));
  }

  /** Tells the network that this peer has some content. */
  async dhtProvide(cid: CID, timeoutS?: number): Promise<void> {
    await this.#dht({ type: DHT.provide, cid: cid.bytes, ...timeout(timeoutS) });
  }

  /** Peers that have some content. */
  async dhtFindProviders(cid: CID, count?: number, timeoutS?: number): Promise<P2PPeer[]> {
    const wanted = count === undefined ? {} : { count };
    const request = { type: DHT.findProviders, cid: cid.bytes, ...wanted, ...timeout(timeoutS) };
    return (await this.#dhtAll(request)).map(({ peer }) => toPeer(present(peer, "peer")));
  }

  /** Peer ids closest to a key. */
  async dhtClosestPeers(key: Uint8Array, timeoutS?: number): Promise<string[]> {
    const request = { type: DHT.getClosestPeers, key, ...timeout(timeoutS) };
    return (await this.#dhtAll(request)).map(({ value }) =>
      peerIdOf(present(value, "value")).toString()
    );
  }

  /** Ever better values of a key. */
  async dhtSearchValue(key: Uint8Array, timeoutS?: number): Promise<Uint8Array[]> {
    const request = { type: DHT.searchValue, key, ...timeout(timeoutS) };
    return (await this.#dhtAll(request)).map(({ value }) => present(value, "value"));
  }

  /** A peer's public key, as protobuf. */
  async dhtGetPublicKey(peerId: string, timeoutS?: number): Promise<Uint8Array> {
    const request = { type: DHT.getPublicKey, peer: idOf(peerId), ...timeout(timeoutS) };
    return present((await this.#dht(request))?.value, "value");
  }

  /** Topics this daemon listens to. */
  async pubsubTopics(): Promise<string[]> {
    const { pubsub } = await ask(this.#address, {
      type: REQUEST.pubsub,
      pubsub: { type: PUBSUB.getTopics },
    });
    return pubsub?.topics ?? [];
  }

  /** Peers that listen to a topic, or to any of ours. */
  async pubsubPeers(topic?: string): Promise<string[]> {
    const about = topic === undefined ? {} : { topic };
    const request = { type: REQUEST.pubsub, pubsub: { type: PUBSUB.listPeers, ...about } };
    const { pubsub } = await ask(this.#address, request);
    return (pubsub?.peerIDs ?? []).map((id) => peerIdOf(id).toString());
  }

  /** Sends a message to everybody who listens. */
  async pubsubPublish(topic: string, data: Uint8Array): Promise<void> {
    await ask(this.#address, {
      type: REQUEST.pubsub,
      pubsub: { type: PUBSUB.publish, topic, data },
    });
  }

  /** Listens to a topic until the loop over it is left, or `return()` is called. */
  async pubsubSubscribe(topic: string): Promise<AsyncIterableIterator<PubsubMessageFields>> {
    const request = { type: REQUEST.pubsub, pubsub: { type: PUBSUB.subscribe, topic } };
    const { socket } = await exchange(this.#address, request);
    const end = () => {
      socket.destroy();
      return { done: true as const, value: undefined };
    };
    // A generator could be left only once the next message has come.
    const messages: AsyncIterableIterator<PubsubMessageFields> = {
      async next() {
        try {
          const bytes = await socket.next();
          return bytes ? { value: PubsubMessage.decode(bytes) } : end();
        } catch (failure) {
          end();
          throw failure;
        }
      },
      return: () => Promise.resolve(end()),
      [Symbol.asyncIterator]: () => messages,
    };
    return messages;
  }

  /** Gives a peer's connections a weight. */
  async tagPeer(peerId: string, tag: string, weight: number): Promise<void> {
    const connManager = { type: CONN_MANAGER.tagPeer, peer: idOf(peerId), tag, weight };
    await ask(this.#address, { type: REQUEST.connManager, connManager });
  }

  /** Closes connections of least weight. */
  async trim(): Promise<void> {
    await ask(this.#address, {
      type: REQUEST.connManager,
      connManager: { type: CONN_MANAGER.trim },
    });
  }

  /** Closes what this client listens on; streams go on. */
  async close(): Promise<void> {
    await this.#listener?.close();
    this.#listener = undefined;
  }

  async #dht(dht: DhtFields): Promise<DhtResponseFields | undefined> {
    try {
      return (await ask(this.#address, { type: REQUEST.dht, dht }, dht.timeout)).dht;
    } catch (failure) {
      throw asDhtError(failure);
    }
  }

  async #dhtAll(dht: DhtFields): Promise<DhtResponseFields[]> {
    try {
      const { socket } = await exchange(this.#address, { type: REQUEST.dht, dht }, dht.timeout);
      const items: DhtResponseFields[] = [];
      for (;;) {
        const item = await readNext(socket, DhtResponse);
        if (item.type === DHT_RESPONSE.end) break;
        items.push(item);
      }
      socket.end();
      return items;
    } catch (failure) {
      throw asDhtError(failure);
    }
  }
}

function asDhtError(failure: unknown): unknown {
  if (!(failure instanceof ProtocolError)) return failure;
  return new DhtError(failure.message, { cause: failure });
}

function timeout(seconds: number | undefined): { timeout?: number } {
  return seconds === undefined ? {} : { timeout: seconds };
}

function idOf(peerId: string): Uint8Array {
  return (peerIdFromString(peerId) as PeerId).toMultihash().bytes;
}

function present<T>(value: T | undefined, field: string): T {
  if (value !== undefined) return value;
  throw new InvalidResponseError(`The p2pd answered OK without ${field}`);
}

function toPeer({ id, addrs = [] }: PeerInfoFields): P2PPeer {
  return {
    peerId: peerIdOf(id).toString(),
    addrs: addrs.map((addr) => multiaddr(addr).toString()),
  };
}

function toStream({ peer, addr, proto }: StreamInfoFields, socket: LocalSocket): P2PStream {
  return {
    peerId: peerIdOf(peer).toString(),
    addr: multiaddr(addr).toString(),
    protocol: proto,
    socket,
  };
}
