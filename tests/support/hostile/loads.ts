/** Loads within the protocols: many connections, many streams, calls that stay open. */
import { type Client, credentials, makeGenericClientConstructor } from "@grpc/grpc-js";
import { Buffer } from "node:buffer";
import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { type PlainPeer, plainPeer } from "./peers.ts";
import { waitFor } from "../wait.ts";
import type { Endpoint } from "./raw_connections.ts";

const SETTLE_MS = 300;

/** Opens so many connections as one peer; gives how many of them last. */
export async function connectionsOfOnePeer(
  address: string,
  count: number,
): Promise<{ open: number }> {
  const node = await plainPeer();
  try {
    for (let index = 0; index < count; index++) await dial(node, address).catch(() => undefined);
    await settle();
    return { open: openConnections(node) };
  } finally {
    await node.stop();
  }
}

/** Opens so many streams of one protocol on one connection and writes nothing; gives how many last. */
export async function streamsOfOnePeer(
  address: string,
  protocol: string,
  count: number,
): Promise<{ open: number }> {
  const node = await plainPeer();
  try {
    const connection = await dial(node, address);
    const streams: Stream[] = [];
    for (let index = 0; index < count; index++) {
      const stream = await connection.newStream(protocol, { maxOutboundStreams: count + 1 })
        .catch(() => undefined);
      if (stream) streams.push(stream);
    }
    await settle();
    return { open: streams.filter(({ status }) => status === "open").length };
  } finally {
    await node.stop();
  }
}

/** Full handshakes as so many peers, all kept open a while; gives how many last. */
export async function manyIdentities(address: string, count: number): Promise<{ open: number }> {
  const nodes: Libp2p[] = [];
  for (let index = 0; index < count; index++) {
    const node = await plainPeer();
    nodes.push(node);
    await dial(node, address).catch(() => undefined);
  }
  await settle();
  const open = nodes.reduce((sum, node) => sum + openConnections(node), 0);
  kept.push(...nodes);
  return { open };
}

const kept: Libp2p[] = [];

/** Streams and calls that are under way as long as they live. */
export class BusyPeer {
  readonly #streams: Stream[] = [];
  readonly #client: Client;
  #messages = 0;

  private constructor(client: Client) {
    this.#client = client;
  }

  /** Keeps ping streams of several peers echoing, and a quarter as many health watches open. */
  static async start(address: string, target: Endpoint, count: number): Promise<BusyPeer> {
    const host = target.host.includes(":") ? `[${target.host}]` : target.host;
    const Generic = makeGenericClientConstructor({}, "health");
    const busy = new BusyPeer(new Generic(`${host}:${target.port}`, credentials.createInsecure()));
    while (busy.#streams.length < count) await busy.#addPeer(address);
    const watches = Math.ceil(count / 4);
    for (let index = 0; index < watches; index++) busy.#watch();
    await waitFor("first message of every watch", () => busy.#messages >= watches);
    return busy;
  }

  /** Streams that are open and messages the watches got. */
  counts(): { streams: number; watches: number } {
    const streams = this.#streams.filter(({ status }) => status === "open").length;
    return { streams, watches: this.#messages };
  }

  async #addPeer(address: string): Promise<void> {
    const connection = await dial(await plainPeer(), address);
    for (let index = 0; index < 2; index++) { // libp2p's ping takes two at once
      const stream = await connection.newStream("/ipfs/ping/1.0.0");
      stream.addEventListener("message", ({ data }) => void trySend(stream, data.subarray()));
      trySend(stream, new Uint8Array(32));
      this.#streams.push(stream);
    }
  }

  #watch(): void {
    const empty = () => Buffer.alloc(0);
    const call = this.#client.makeServerStreamRequest(
      "/grpc.health.v1.Health/Watch",
      empty,
      (bytes: Uint8Array) => bytes,
      {},
    );
    call.on("data", () => this.#messages++);
    call.on("error", () => undefined); // the daemon stops: that is the point
  }
}

function dial(node: PlainPeer, address: string): Promise<Connection> {
  return node.dial(multiaddr(address), { signal: AbortSignal.timeout(10_000), force: true });
}

function openConnections(node: Libp2p): number {
  return node.getConnections().filter(({ status }) => status === "open").length;
}

function trySend(stream: Stream, bytes: Uint8Array): void {
  if (stream.status === "open") stream.send(bytes);
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
}
