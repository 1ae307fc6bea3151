/**
 * A peer that abuses what a p2pd serves to peers: started as a process of its own, told what to do by its arguments,
 * says `{"event":"connected"}`, then what it got as one line of JSON.
 *
 *     deno run -A p2p_abuse.ts frames|streams|pubsub|large|rpcs|deaf|dht|providers ADDRESS COUNT [MS]
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
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
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
const MESHSUB = "/meshsub/1.1.0";
const FLOODSUB = "/floodsub/1.0.0";
const TOPIC = "abused";
/** Bytes of one message or record. */
const SIZE = 1_024;
const LARGE_SIZE = 512 * 1_024;
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

/** Long messages, by way of the library. */
async function large(node: Node, count: number, ms: number): Promise<object> {
  const { pubsub } = node.services;
  pubsub.subscribe(TOPIC);
  const until = performance.now() + ms;
  let sent = 0;
  for (; sent < count && performance.now() < until; sent++) {
    await pubsub.publish(TOPIC, randomBytes(LARGE_SIZE)).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 0));
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

async function silence({ services: { pubsub } }: Node): Promise<void> {
  await (pubsub as GossipSub & { stop(): Promise<void> }).stop();
}

/** RPCs as fast as they are taken. */
async function rpcs(
  connection: Connection,
  count: number,
  ms: number,
  next: () => Uint8Array,
): Promise<object> {
  const until = performance.now() + ms;
  let [sent, streams] = [0, 0];
  while (sent < count && performance.now() < until && connection.status === "open") {
    try {
      const signal = AbortSignal.timeout(2_000);
      const stream = await connection.newStream([MESHSUB, FLOODSUB], { signal });
      streams++;
      stream.addEventListener("message", () => undefined);
      while (sent < count && performance.now() < until && stream.status === "open") {
        const rpc = next();
        const isTaken = stream.send(Buffer.concat([varint(rpc.length), rpc]));
        if (++sent % 16 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
        if (!isTaken) await drained(stream, until);
        if (sent % 20_000 === 0) stream.send(Uint8Array.of(0xff, 0xff, 0xff, 0x7f)); // 256 MiB
      }
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return { sent, streams };
}

async function drained(stream: Stream, until: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, Math.max(0, until - performance.now()));
  const onRoom = () => resolve();
  for (const event of ["drain", "close"] as const) stream.addEventListener(event, onRoom);
  await promise;
  for (const event of ["drain", "close"] as const) stream.removeEventListener(event, onRoom);
  clearTimeout(timer);
}

/** Makes RPCs of valid messages, each with a signature of its own; cheaper than the library does. */
function signedRpcs(): () => Uint8Array {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const key = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
  const from = Buffer.concat([Uint8Array.of(0, 36, 8, 1, 18, 32), key]);
  const data = randomBytes(SIZE);
  return () =>
    Buffer.concat(Array.from({ length: 8 }, () => {
      const unsigned = Buffer.concat([
        lengthPrefixed(0x0a, from),
        lengthPrefixed(0x12, data),
        lengthPrefixed(0x1a, randomBytes(8)),
        lengthPrefixed(0x22, Buffer.from(TOPIC)),
      ]);
      const prefixed = Buffer.concat([Buffer.from("libp2p-pubsub:"), unsigned]);
      const signature = lengthPrefixed(0x2a, sign(null, prefixed, privateKey));
      return lengthPrefixed(0x12, Buffer.concat([unsigned, signature]));
    }));
}

function randomRpc(random: Seeded): Uint8Array {
  const text = (topic: string) => lengthPrefixed(0x0a, Buffer.from(topic));
  const ids = (tag: number, many: number) =>
    Array.from({ length: many }, () => lengthPrefixed(tag, randomBytes(46)));
  const control = (tag: number, ...parts: Uint8Array[]) =>
    lengthPrefixed(0x1a, lengthPrefixed(tag, Buffer.concat(parts)));
  return random.pick([
    () => randomBytes(random.int(0, 64)),
    () => new Uint8Array(0),
    () =>
      Buffer.concat(Array.from({ length: 200 }, (_one, at) => {
        const topic = lengthPrefixed(0x12, Buffer.from(`${random.text(16)}${at}`));
        return lengthPrefixed(0x0a, Buffer.concat([Uint8Array.of(8, 1), topic]));
      })),
    () => control(0x0a, text(TOPIC), ...ids(0x12, 500)), // IHAVE
    () => control(0x12, ...ids(0x0a, 500)), // IWANT
    () => control(0x1a, text(TOPIC)), // GRAFT
    () => control(0x22, text(TOPIC)), // PRUNE
    () => control(0x2a, ...ids(0x0a, 100)), // IDONTWANT
    // Messages that nobody asked for, and some with a signature that is none.
    () =>
      Buffer.concat(Array.from({ length: 20 }, (_one, at) => {
        const topic = at % 2 === 0 ? TOPIC : `${TOPIC}${at}`;
        return lengthPrefixed(
          0x12,
          Buffer.concat([
            lengthPrefixed(
              0x0a,
              Buffer.concat([Uint8Array.of(0, 36, 8, 1, 18, 32), randomBytes(32)]),
            ),
            lengthPrefixed(0x12, randomBytes(SIZE)),
            lengthPrefixed(0x1a, randomBytes(8)),
            lengthPrefixed(0x22, Buffer.from(topic)),
            lengthPrefixed(0x2a, randomBytes(64)),
          ]),
        );
      })),
  ])();
}

/** Listens to a topic, and reads nothing of what comes. */
async function deaf(node: Node, connection: Connection): Promise<object> {
  await silence(node);
  await node.handle(MESHSUB, (stream) => stream.pause());
  const stream = await connection.newStream(MESHSUB);
  const topic = lengthPrefixed(0x12, Buffer.from(TOPIC));
  const rpc = lengthPrefixed(0x0a, Buffer.concat([Uint8Array.of(8, 1), topic]));
  stream.send(Buffer.concat([varint(rpc.length), rpc]));
  return {};
}

/** Says that it has ever more content. */
async function providers(node: Node, connection: Connection, count: number, ms: number) {
  const until = performance.now() + ms;
  const self = Buffer.concat([
    lengthPrefixed(0x0a, node.peerId.toMultihash().bytes),
    ...Array.from({ length: 200 }, (_one, at) => {
      return lengthPrefixed(0x12, multiaddr(`/ip4/10.0.0.${at}/tcp/4001`).bytes);
    }),
  ]);
  let sent = 0;
  while (sent < count && performance.now() < until && connection.status === "open") {
    try {
      const signal = AbortSignal.timeout(10_000);
      const stream = await connection.newStream(KAD, { signal, maxOutboundStreams: 1_000 });
      for (let at = 0; at < 100 && stream.status === "open"; at++) {
        const key = Buffer.concat([Uint8Array.of(0x12, 32), randomBytes(32)]);
        const parts = [Uint8Array.of(8, 2), lengthPrefixed(0x12, key), lengthPrefixed(0x4a, self)];
        const message = Buffer.concat(parts);
        sent++;
        if (!stream.send(Buffer.concat([varint(message.length), message]))) {
          await drained(stream, until);
        }
      }
      await stream.close({ signal });
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return { sent };
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
  pubsub: async () => {
    await silence(node); // it would answer
    return await rpcs(connection, Number(count), Number(ms), signedRpcs());
  },
  large: () => large(node, Number(count), Number(ms)),
  rpcs: async () => {
    await silence(node);
    const random = new Seeded(3);
    return await rpcs(connection, Number(count), Number(ms), () => randomRpc(random));
  },
  deaf: () => deaf(node, connection),
  providers: () => providers(node, connection, Number(count), Number(ms)),
  dht: () => dht(connection, Number(count), Number(ms)),
};
say({ event: "done", ...await MODES[mode]?.() });
await new Promise((resolve) => process.stdin.once("end", resolve).resume()); // holds what it holds
process.exit(0);
