/** libp2p nodes on loopback, in this process, for protocols that need a real connection. */
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { identify } from "@libp2p/identify";
import type { Connection, Libp2p } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { createLibp2p, type Libp2pOptions } from "libp2p";
import { TimersOfTest } from "./timers_of_test.ts";

/** Two connected nodes; dispose of them. */
export interface Libp2pPair extends AsyncDisposable {
  readonly dialer: Libp2p;
  readonly listener: Libp2p;
  /** Connects them; identify has begun on both sides. */
  connect(): Promise<Connection>;
}

/** A node that listens on a free port of loopback. */
export function createNode(
  options: Pick<Libp2pOptions, "connectionEncrypters" | "transports"> = {},
): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
    ...options,
  });
}

/** Starts two nodes. */
export async function createPair(): Promise<Libp2pPair> {
  const [dialer, listener] = await Promise.all([createNode(), createNode()]);
  return {
    dialer,
    listener,
    connect: () => dialer.dial(listener.getMultiaddrs()),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([dialer.stop(), listener.stop()]);
    },
  };
}

/**
 * Registers a test with libp2p nodes in this process. Leaks are not looked for in it: a node that
 * was stopped leaves timers and a broadcast channel of its dependencies behind. The timers end with
 * the test: one of them, fired in a later test, begins others that would be taken for its leak.
 */
export function testWithLibp2p(name: string, fn: () => Promise<void>): void {
  Deno.test({
    name,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      using timers = new TimersOfTest();
      await fn();
      await timers.shortOnesFired();
    },
  });
}
