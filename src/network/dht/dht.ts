import { publicKeyFromProtobuf, publicKeyToProtobuf } from "@libp2p/crypto/keys";
import type { Libp2p, PeerId, PeerInfo } from "@libp2p/interface";
import { type KadDHT, kadDHT, passthroughMapper, type QueryEvent } from "@libp2p/kad-dht";
import { Libp2pRecord } from "@libp2p/record";
import { type Datastore, Key } from "interface-datastore";
import { base32 } from "multiformats/bases/base32";
import type { CID } from "multiformats/cid";
import { Buffer } from "node:buffer";
import { DaemonError, logger, messageOf, systemClock } from "../../core/mod.ts";
import { PeerBudgets } from "../peer_budgets.ts";
import { type DhtNetwork, KeptStreams } from "./kept_streams.ts";
import { LookupEnd } from "./lookup_end.ts";
import { type DhtRpc, guardRpc } from "./rpc_guard.ts";
import { type PeerTeller, tellNews } from "./peer_news.ts";
import {
  ipnsRules,
  MAX_VALUE_BYTES,
  openSelectors,
  openValidators,
  ReceiveTimes,
  storedKey,
} from "./records.ts";

/** The protocol of the public network, which Go's daemon speaks on every network. */
const PROTOCOL = "/ipfs/kad/1.0.0";
/** Where the library keeps records. */
const RECORDS = "/dht/record/";
/** Streams of one connection, in and out each. */
const MAX_STREAMS = 128;

/** What one peer may ask of us; a search asks each peer once or twice. */
const BUDGET = {
  what: "DHT",
  units: { perSecond: 500, burst: 2_000 },
  bytes: { perSecond: 4 * MAX_VALUE_BYTES, burst: 32 * MAX_VALUE_BYTES },
};

/** What {@link Dht} uses. */
export interface DhtComponents {
  node(): Libp2p;
  datastore: Datastore;
}

/** How {@link Dht} behaves. */
export interface DhtInit {
  /** Whether it answers other peers' requests. */
  mode: "client" | "server";
}

/** Peers that one search asks at a time; the library's own 10 x 10 asks everybody it knows at once. */
const ASKED_AT_ONCE = 5;

const log = logger("network");

/**
 * The Kademlia DHT: `/pk/` and `/ipns/` by their own rules, every other key open, the newest value
 * first. What we put and provide is kept here too, so a node without peers answers at once.
 */
export class Dht {
  readonly #components: DhtComponents;
  readonly #init: DhtInit;
  readonly #times = new ReceiveTimes();
  readonly #budgets = new PeerBudgets(systemClock, BUDGET);
  #dht: KadDHT | undefined;

  constructor(components: DhtComponents, init: DhtInit) {
    this.#components = components;
    this.#init = init;
  }

  /** Makes the libp2p service; given to the swarm. */
  readonly service = (components: Parameters<ReturnType<typeof kadDHT>>[0]): KadDHT => {
    const dht = kadDHT({
      protocol: PROTOCOL,
      clientMode: this.#init.mode === "client",
      peerInfoMapper: passthroughMapper,
      allowQueryWithZeroPeers: true,
      alpha: ASKED_AT_ONCE,
      disjointPaths: 1,
      maxInboundStreams: MAX_STREAMS,
      maxOutboundStreams: MAX_STREAMS,
      validators: { ipns: ipnsRules.validate },
      selectors: { ipns: ipnsRules.select },
    })(components);
    // The library copies the rules it is given by name; names without one are found behind them.
    Object.setPrototypeOf(dht.validators, openValidators());
    Object.setPrototypeOf(dht.selectors, openSelectors(this.#times));
    const { network, rpc } = dht as KadDHT & { network: DhtNetwork & PeerTeller; rpc: DhtRpc };
    guardRpc(rpc, this.#budgets);
    new KeptStreams(network);
    tellNews(network, () => this.#components.node().peerId.toString());
    this.#dht = dht;
    return dht;
  };

  /** Stores a value here and at the closest peers. @throws {DaemonError} if a rule refuses it. */
  async putValue(key: Uint8Array, value: Uint8Array, signal: AbortSignal): Promise<void> {
    const stored = storedKey(key);
    await this.#validate(stored, value);
    await this.#run(this.#kad.put(stored, value, { signal }), signal);
  }

  /** The best value of a key. */
  async getValue(key: Uint8Array, signal: AbortSignal): Promise<Uint8Array | undefined> {
    let best: Uint8Array | undefined;
    const isFinal = namespaceOf(key) === "pk"; // the key tells the only value there can be
    for await (const value of this.searchValue(key, signal)) {
      best = value;
      if (isFinal) break;
    }
    return best;
  }

  /** Ever better values of a key, as they are found; the last one is the best. */
  async *searchValue(key: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const stored = storedKey(key);
    const local = await this.#local(stored);
    if (!local) return yield* this.#search(stored, undefined, signal);
    this.#times.setLocal(stored, local.timeReceived ?? new Date(0));
    try {
      yield* this.#search(stored, local, signal);
    } finally {
      this.#times.forgetLocal(stored);
    }
  }

  async *#search(stored: Uint8Array, local: Libp2pRecord | undefined, signal: AbortSignal) {
    let best = local?.value;
    if (best) yield best;
    const found: Uint8Array[] = best ? [best] : [];
    const end = new LookupEnd(stored);
    end.dropped(this.#components.node().peerId);
    for await (const event of this.#events(this.#kad.get(stored, { signal }), signal)) {
      if (event.name === "QUERY_ERROR") end.dropped(event.from);
      if (event.name !== "PEER_RESPONSE") continue;
      const isEnough = end.answered(event.from, event.closer);
      const { record } = event;
      if (record) {
        this.#times.set(record.value, record.timeReceived);
        found.push(record.value);
        const value = found[await this.#select(stored, found)];
        if (value && !(best && Buffer.compare(value, best) === 0)) yield best = value;
      }
      if (isEnough && best) return; // what is not found is looked for everywhere
    }
  }

  /** Where a peer is. */
  async findPeer(peerId: PeerId, signal: AbortSignal): Promise<PeerInfo | undefined> {
    for (const useCache of [true, false]) {
      const events = this.#kad.findPeer(peerId, { signal, useCache });
      for await (const event of this.#events(events, signal)) {
        if (event.name === "FINAL_PEER" && event.peer.multiaddrs.length > 0) return event.peer;
      }
    }
    return undefined;
  }

  /** A peer's public key, as protobuf. */
  async getPublicKey(peerId: PeerId, signal: AbortSignal): Promise<Uint8Array | undefined> {
    if (peerId.publicKey) return publicKeyToProtobuf(peerId.publicKey);
    const node = this.#components.node();
    const known = await node.peerStore.get(peerId).catch(() => undefined);
    if (known?.id.publicKey) return publicKeyToProtobuf(known.id.publicKey);
    const key = Buffer.concat([Buffer.from("/pk/"), peerId.toMultihash().bytes]);
    const value = await this.getValue(key, signal);
    return value && publicKeyToProtobuf(publicKeyFromProtobuf(value));
  }

  /** Tells the network that we have some content. */
  async provide(cid: CID, signal: AbortSignal): Promise<void> {
    await this.#run(this.#kad.provide(cid, { signal }), signal);
  }

  /** Who has some content, this node included. */
  async *findProviders(cid: CID, count: number, signal: AbortSignal): AsyncGenerator<PeerInfo> {
    const node = this.#components.node();
    const seen = new Set<string>();
    if (await this.#providesItself(cid)) {
      seen.add(node.peerId.toString());
      yield { id: node.peerId, multiaddrs: node.getMultiaddrs() };
    }
    const events = this.#kad.findProviders(cid, { signal });
    for await (const event of this.#events(events, signal)) {
      if (event.name !== "PROVIDER") continue;
      for (const peer of event.providers) {
        if (seen.size >= count) return;
        if (seen.has(peer.id.toString())) continue;
        seen.add(peer.id.toString());
        yield peer;
      }
    }
  }

  /** The peers closest to a key. */
  async *closestPeers(key: Uint8Array, signal: AbortSignal): AsyncGenerator<PeerId> {
    for await (const event of this.#events(this.#kad.getClosestPeers(key, { signal }), signal)) {
      if (event.name === "FINAL_PEER") yield event.peer.id;
    }
  }

  /** What peers asked for in vain, since start. */
  get counts(): Readonly<Record<string, number>> {
    return { slowed: this.#budgets.slowed };
  }

  /** Peers in the routing table. */
  get size(): number {
    return (this.#kad as KadDHT & { routingTable: { size: number } }).routingTable.size;
  }

  get #kad(): KadDHT {
    if (this.#dht) return this.#dht;
    throw new DaemonError("unavailable", "Cannot use the DHT: the swarm is not running");
  }

  async #validate(key: Uint8Array, value: Uint8Array): Promise<void> {
    if (value.byteLength > MAX_VALUE_BYTES) {
      const size = `the value has ${value.byteLength} bytes, over the limit of ${MAX_VALUE_BYTES}`;
      throw new DaemonError("invalid_argument", `Cannot store the value: ${size}`);
    }
    const validator = this.#kad.validators[namespaceOf(key)];
    try {
      await validator?.(key, value);
    } catch (cause) {
      throw new DaemonError("invalid_argument", `invalid record: ${messageOf(cause)}`, { cause });
    }
  }

  async #select(key: Uint8Array, values: Uint8Array[]): Promise<number> {
    const select = this.#kad.selectors[namespaceOf(key)];
    return await select?.(key, values) ?? 0;
  }

  async #local(key: Uint8Array): Promise<Libp2pRecord | undefined> {
    try {
      const name = new Key(`${RECORDS}${base32.baseEncode(key)}`, false);
      const record = Libp2pRecord.deserialize(await this.#components.datastore.get(name));
      await this.#kad.validators[namespaceOf(key)]?.(key, record.value);
      return record;
    } catch {
      return undefined; // none, or one that has become invalid
    }
  }

  async #providesItself(cid: CID): Promise<boolean> {
    const name = base32.baseEncode(cid.multihash.bytes);
    const self = this.#components.node().peerId.toString();
    return await this.#components.datastore.has(new Key(`/dht/provider/${name}/${self}`));
  }

  // Peers that fail are part of every search; what was found before counts.
  async *#events(events: AsyncIterable<QueryEvent>, signal: AbortSignal) {
    try {
      yield* events;
    } catch (failure) {
      if (signal.aborted) throw timeoutOf(signal);
      log.debug("A search in the DHT ended early", { failure });
    }
  }

  async #run(events: AsyncIterable<QueryEvent>, signal: AbortSignal): Promise<void> {
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(timeoutOf(signal));
    signal.addEventListener("abort", onAbort, { once: true });
    const run = async () => {
      for await (const _event of this.#events(events, signal));
    };
    try {
      await Promise.race([run(), aborted]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}

function timeoutOf(signal: AbortSignal): DaemonError {
  const text = "context deadline exceeded"; // the reference's words
  return new DaemonError("deadline_exceeded", text, { cause: signal.reason });
}

function namespaceOf(key: Uint8Array): string {
  return Buffer.from(key).toString("utf8").split("/")[1] ?? "";
}
