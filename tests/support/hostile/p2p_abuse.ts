/**
 * A peer that abuses what a p2pd serves to peers: started as a process of its own, told what to do by its arguments,
 * says `{"event":"connected"}`, then what it got as one line of JSON.
 *
 *     deno run -A p2p_abuse.ts frames|streams|pubsub|dht ADDRESS COUNT [MS]
 */
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { type GossipSub, gossipsub } from "@libp2p/gossipsub";
import { identify } from "@libp2p/identify";
import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { Libp2pRecord } from "@libp2p/record";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { Seeded } from "./seeded.ts";

/** What a p2pd with everything on serves to peers. */
const PROTOCOLS = [
  ...["/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0", "/echo/1.0.0"],
  ...["/ipfs/kad/1.0.0", "/meshsub/1.1.0", "/libp2p/circuit/relay/0.2.0/hop", "/libp2p/dcutr"],
  ...["/libp2p/autonat/1.0.0", "/abuse/unary"],
];
/** Handled by a program that the test registered. */
const ECHO = "/echo/1.0.0";
const KAD = "/ipfs/kad/1.0.0";
const TOPIC = "abused";
/** Bytes of one message or record. */
const SIZE = 1_024;
const AT_ONCE = 16;

type Node = Libp2p<{ pubsub: GossipSub }>;

function start(): Promise<Node> {
  const many = 100_000;
  return createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ maxOutboundStreams: many, maxInboundStreams: many })],
    connectionMonitor: { enabled: false },
    connectionGater: { denyDialMultiaddr: () => false },
    services: {
      identify: identify(),
      pubsub: gossipsub({ allowPublishToZeroTopicPeers: true, floodPublish: true }),
    },
  });
}

function nonsense(random: Seeded): Uint8Array {
  return random.pick([
    () => random.bytes(random.int(1, 300)),
    () => Uint8Array.from([...Array<number>(11).fill(0xff), 1]), // a length without an end
    () => Uint8Array.of(0x81, 0x80, 0x80, 0x02, 8, 0), // 4 MiB and one
    () => Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3), // 4 GiB
    () => Uint8Array.of(100, ...random.bytes(20)), // cut off
    () => Uint8Array.of(3, 8, 0x7f, 1), // an unknown kind
    () => Uint8Array.of(0),
    () => Uint8Array.of(random.int(1, 120), ...random.bytes(120)),
    () => new Uint8Array(70_000).fill(0x20),
  ])();
}

async function frames(node: Node, address: string, count: number): Promise<object> {
  const random = new Seeded(1);
  let [sent, refused, at] = [0, 0, 0];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (at < count) {
      const protocol = PROTOCOLS[at++ % PROTOCOLS.length] ?? "";
      try {
        const signal = AbortSignal.timeout(5_000);
        const connection = await node.dial(multiaddr(address), { signal });
        const stream = await connection.newStream(protocol, { signal, maxOutboundStreams: 1_000 });
        stream.addEventListener("message", () => undefined);
        const bytes = nonsense(random);
        // Some come in a trickle.
        const part = at % 10 === 0 ? 1 : bytes.length;
        for (let from = 0; from < Math.min(bytes.length, part * 64); from += part) {
          stream.send(bytes.subarray(from, from + part));
          if (part === 1) await new Promise((resolve) => setTimeout(resolve, 1));
        }
        sent++;
        if (at % 3 === 0) stream.abort(new TypeError("rude"));
        else if (at % 3 === 1) await stream.close({ signal: AbortSignal.timeout(1_000) });
        else setTimeout(() => stream.abort(new TypeError("late")), 100);
      } catch {
        refused++;
      }
    }
  }));
  return { sent, refused };
}

async function streams(connection: Connection, count: number): Promise<object> {
  const open: Stream[] = [];
  let refused = 0;
  while (open.length + refused < count) {
    const batch = Array.from({ length: Math.min(64, count - open.length - refused) }, async () => {
      try {
        const signal = AbortSignal.timeout(2_000);
        const stream = await connection.newStream(ECHO, { signal, maxOutboundStreams: 100_000 });
        stream.send(Uint8Array.of(1));
        open.push(stream);
      } catch {
        refused++;
      }
    });
    await Promise.all(batch);
    if (connection.status !== "open") break;
  }
  const alive = open.filter(({ status }) => status === "open").length;
  return { opened: open.length, alive, refused, isConnected: connection.status === "open" };
}

async function pubsub(node: Node, count: number, ms: number): Promise<object> {
  const { pubsub } = node.services;
  pubsub.subscribe(TOPIC);
  const until = performance.now() + ms;
  let sent = 0;
  while (sent < count && performance.now() < until) {
    await pubsub.publish(TOPIC, randomBytes(SIZE)).catch(() => undefined);
    if (++sent % 32 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return { sent };
}

function lengthPrefixed(tag: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(tag), varint(bytes.length), bytes]);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push(value % 128 + 128);
  return Uint8Array.from([...bytes, value]);
}

function putMessage(at: number): Uint8Array {
  const key = Buffer.from(`/abused/${at}`);
  const record = new Libp2pRecord(key, randomBytes(SIZE), new Date()).serialize();
  const message = Buffer.concat([
    Uint8Array.of(0x08, 0), // PUT_VALUE
    lengthPrefixed(0x12, key),
    lengthPrefixed(0x1a, record),
  ]);
  return Buffer.concat([varint(message.length), message]);
}

async function dht(connection: Connection, count: number, ms: number): Promise<object> {
  const until = performance.now() + ms;
  let [at, answered] = [0, 0];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (at < count && performance.now() < until && connection.status === "open") {
      try {
        const signal = AbortSignal.timeout(10_000);
        const stream = await connection.newStream(KAD, { signal, maxOutboundStreams: 1_000 });
        const { promise, resolve } = Promise.withResolvers<void>();
        stream.addEventListener("message", () => {
          answered++;
          resolve();
        });
        stream.addEventListener("close", () => resolve());
        stream.send(putMessage(at++));
        await promise;
        stream.abort(new TypeError("next"));
      } catch {
        at++;
      }
    }
  }));
  return { sent: at, answered };
}

const [mode = "", address = "", count = "0", ms = "60000"] = process.argv.slice(2);
const say = (value: object) => void process.stdout.write(`${JSON.stringify(value)}\n`);
const node = await start();
const connection = await node.dial(multiaddr(address));
say({ event: "connected" });
const MODES: Readonly<Record<string, () => Promise<object>>> = {
  frames: () => frames(node, address, Number(count)),
  streams: () => streams(connection, Number(count)),
  pubsub: () => pubsub(node, Number(count), Number(ms)),
  dht: () => dht(connection, Number(count), Number(ms)),
};
say({ event: "done", ...await MODES[mode]?.() });
await new Promise((resolve) => process.stdin.once("end", resolve).resume()); // holds what it holds
process.exit(0);
