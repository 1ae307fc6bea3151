/** Connect, use, close: many times, as callers with short lives do. */
import { multiaddr } from "@multiformats/multiaddr";
import { grpcPing, restStatus } from "./honest.ts";
import { dialAndPing, type PlainPeer, plainPeer, visitAsPeer } from "./peers.ts";
import { type Endpoint, visit } from "./raw_connections.ts";

/** How the cycles went. */
export interface CycleTimes {
  readonly done: number;
  readonly failed: number;
  /** Median of the first hundred and of the last hundred, in milliseconds. */
  readonly firstMs: number;
  readonly lastMs: number;
  readonly seconds: number;
}

/** TCP alone. */
export function connectAndClose(
  target: Endpoint,
  count: number,
  atOnce: number,
): Promise<CycleTimes> {
  return cycle(count, atOnce, async () => (await visit(target, { bytes: new Uint8Array() })).ms);
}

/** A real gRPC call on a connection of its own. */
export function grpcCycles(target: Endpoint, count: number, atOnce: number): Promise<CycleTimes> {
  return cycle(count, atOnce, () => grpcPing(target));
}

/** A real HTTP request on a connection of its own. */
export function restCycles(target: Endpoint, count: number, atOnce: number): Promise<CycleTimes> {
  return cycle(count, atOnce, () => restStatus(target));
}

/** Full handshake, ping, close, as so many peers as are there at once: libp2p joins the dials of one. */
export async function peerCycles(
  address: string,
  count: number,
  atOnce: number,
): Promise<CycleTimes> {
  const nodes = await Promise.all(Array.from({ length: atOnce }, plainPeer));
  try {
    const target = multiaddr(address);
    return await cycle(count, atOnce, (worker) => {
      return dialAndPing(nodes[worker] as PlainPeer, target, 5_000);
    });
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
  }
}

/** The same, each time as another peer. */
export function strangerCycles(
  address: string,
  count: number,
  atOnce: number,
): Promise<CycleTimes> {
  return cycle(count, atOnce, () => visitAsPeer(address, 5_000));
}

async function cycle(
  count: number,
  atOnce: number,
  once: (worker: number) => Promise<number>,
): Promise<CycleTimes> {
  const startedAt = performance.now();
  const times: number[] = [];
  let started = 0;
  let failed = 0;
  const worker = async (_: unknown, index: number) => {
    while (started++ < count) {
      try {
        times.push(await once(index));
      } catch {
        failed++;
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return {
    done: times.length,
    failed,
    firstMs: median(times.slice(0, 100)),
    lastMs: median(times.slice(-100)),
    seconds: (performance.now() - startedAt) / 1_000,
  };
}

function median(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
