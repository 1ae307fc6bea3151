/** The Deno side of test_peer.ts: reads commands, serves the transfer protocols, writes events. */
import { createInterface } from "node:readline";
import process from "node:process";
import { type ByteStream, ExactReader } from "./byte_stream.ts";
import {
  blastTo,
  DISCARD_PROTOCOL,
  receiveFrom,
  sendTo,
  serveDiscard,
  serveSink,
  serveSource,
  SINK_PROTOCOL,
  SOURCE_PROTOCOL,
} from "./transfers.ts";

/** The node behind the commands. */
export interface CommandedNode {
  readonly peerId: string;
  /** Listen addresses, without `/p2p`. */
  readonly addrs: readonly string[];
  /** Connects; gives the peer id at the other end. */
  dial(address: string): Promise<string>;
  disconnect(peerId: string): Promise<void>;
  openStream(peerId: string, protocol: string): Promise<ByteStream>;
  peers(): string[];
  stop(): Promise<void>;
}

/** What serves each protocol; register these with the node. */
export const PROTOCOLS: Readonly<Record<string, (stream: ByteStream) => Promise<unknown>>> = {
  [SINK_PROTOCOL]: serveSink,
  [SOURCE_PROTOCOL]: serveSource,
  [DISCARD_PROTOCOL]: serveDiscard,
};

interface Command {
  readonly id: number;
  readonly cmd: string;
  readonly peer: string;
  readonly addr: string;
  readonly bytes: number;
  readonly count: number;
}

/** Writes one event line. */
export function emit(event: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

/** Serves one inbound stream and tells how it went. */
export async function serveStream(
  protocol: string,
  peer: string,
  stream: ByteStream,
): Promise<void> {
  try {
    emit({ event: "served", what: protocol, peer, moved: await PROTOCOLS[protocol]?.(stream) });
  } catch (failure) {
    emit({ event: "serve_failed", what: protocol, peer, message: String(failure) });
  }
}

/** Says that the node listens, then obeys until stdin ends. */
export async function obey(node: CommandedNode): Promise<void> {
  emit({ event: "ready", "peer_id": node.peerId, addrs: node.addrs });
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line) as Command;
    if (command.cmd === "quit") break;
    answer(command.id, run(node, command));
  }
  await node.stop();
}

async function run(node: CommandedNode, command: Command): Promise<Record<string, unknown>> {
  const { peer, bytes } = command;
  const open = (protocol: string) => node.openStream(peer, protocol);
  const started = performance.now();
  const elapsed = () => ({ ms: performance.now() - started });
  switch (command.cmd) {
    case "dial":
      return { peer: await node.dial(command.addr) };
    case "disconnect":
      await node.disconnect(peer);
      return {};
    case "ping":
      return { "rtt_us": await ping(await open("/ipfs/ping/1.0.0"), command.count) };
    case "send":
      return { ...await sendTo(await open(SINK_PROTOCOL), bytes), ...elapsed() };
    case "receive":
      return { received: await receiveFrom(await open(SOURCE_PROTOCOL), bytes), ...elapsed() };
    case "blast":
      return { bytes: await blastTo(await open(DISCARD_PROTOCOL), bytes), ...elapsed() };
    case "peers":
      return { peers: node.peers() };
    default:
      throw new TypeError(`unknown command ${command.cmd}`);
  }
}

// 32 bytes there and back, libp2p's ping specification.
async function ping(stream: ByteStream, count = 1): Promise<number[]> {
  const reader = new ExactReader(stream);
  const roundTrips: number[] = [];
  for (let turn = 0; turn < count; turn++) {
    const started = performance.now();
    await stream.write(new Uint8Array(32).fill(turn));
    await reader.take(32);
    roundTrips.push(Math.round((performance.now() - started) * 1_000));
  }
  stream.close();
  return roundTrips;
}

function answer(id: number, work: Promise<Record<string, unknown>>): void {
  work.then(
    (result) => emit({ event: "done", id, result }),
    (failure) => emit({ event: "failed", id, message: String(failure) }),
  );
}
