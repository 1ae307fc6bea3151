import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { circuitRelayTransport } from "@libp2p/circuit-relay-v2";
import { identify } from "@libp2p/identify";
import type { Connection, Libp2p } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import assert from "node:assert/strict";
import { relayServer } from "../../../src/network/relay_server.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";

/** Shorter than a mistake of a thousand in one direction, longer than one in the other. */
const TIME_LIMIT_MS = 3_000;

function node(isRelay: boolean, listen: string[]): Promise<Libp2p> {
  const relay = relayServer({
    ...{ maxReservations: 4, maxCircuits: 4, dataLimit: 1 << 20, timeLimitMs: TIME_LIMIT_MS },
  });
  return createLibp2p({
    addresses: { listen },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify(), ...isRelay ? { relay: relay.service as never } : {} },
  });
}

async function endOf(connection: Connection): Promise<number> {
  const begun = performance.now();
  await new Promise((resolve) => connection.addEventListener("close", resolve, { once: true }));
  return performance.now() - begun;
}

testWithLibp2p(
  "relayServer() tells the length of a circuit in seconds, and keeps to it",
  async () => {
    const relay = await node(true, ["/ip4/127.0.0.1/tcp/0"]);
    const address = String(relay.getMultiaddrs()[0]);
    const hidden = await node(false, [`${address}/p2p-circuit`]);
    const caller = await node(false, []);
    try {
      const circuit = await caller.dial(
        multiaddr(`${address}/p2p-circuit/p2p/${hidden.peerId}`),
      );
      const seen = hidden.getConnections(caller.peerId)[0];
      for (const { limits } of [circuit, seen ?? circuit]) {
        const { seconds = 0 } = limits ?? {};
        assert.ok(seconds >= 2 && seconds <= 3, `told ${seconds} s`);
      }
      const ms = await endOf(circuit);
      assert.ok(ms > TIME_LIMIT_MS / 2 && ms < 2 * TIME_LIMIT_MS, `ended after ${ms} ms`);
    } finally {
      await Promise.all([relay, hidden, caller].map((one) => one.stop()));
    }
  },
);
