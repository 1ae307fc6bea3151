/**
 * The plain program: grpc-js and libp2p with the daemon's transports and services and nothing on top. What the
 * daemon's start, memory and gRPC figures are compared with.
 *
 * Usage: `bare_node [--grpc-addr 127.0.0.1:0] [--p2p-listen <multiaddr>,…] [--peers N] [--no-mdns]`. The first line on
 * stdout is `{"grpc","peer_id","addrs","timing"}`, one line follows for each connection; SIGTERM ends it.
 */
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { type sendUnaryData, Server, ServerCredentials, type ServerUnaryCall } from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer, type ServiceDefinition } from "@grpc/proto-loader";
import { identify } from "@libp2p/identify";
import type { Libp2p } from "@libp2p/interface";
import { mdns } from "@libp2p/mdns";
import { ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { createLibp2p } from "libp2p";
import { Buffer } from "node:buffer";
import process from "node:process";
import { parseArgs } from "node:util";
import descriptors from "../../src/api/grpc/descriptor_set.json" with { type: "json" };

// After the imports above were evaluated; process start is performance.timeOrigin.
const importedMs = performance.now();

type Handler = (call: ServerUnaryCall<unknown, unknown>, reply: sendUnaryData<unknown>) => void;

function say(event: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

/** The same entry that the Rust reference makes, so both move the same bytes. */
function fixedPeer(index: number): Record<string, unknown> {
  const port = 40_000 + index % 20_000;
  return {
    "peer_id": `12D3KooW${String(index).padStart(44, "0")}`,
    addresses: [
      `/ip4/10.0.${Math.floor(index / 250)}.${index % 250 + 1}/tcp/${port}`,
      `/ip6/fd00::${index.toString(16)}/tcp/${port}`,
    ],
    "is_internal": true,
    "is_connected": index % 2 === 0,
    "is_self": index === 0,
  };
}

async function startLibp2p(listen: string[], withMdns: boolean): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    peerDiscovery: withMdns ? [mdns({ interval: 5_000 })] : [],
    services: { identify: identify(), ping: ping() },
  });
  node.addEventListener("peer:discovery", ({ detail }) => {
    node.dial(detail.multiaddrs).catch(() => undefined);
  });
  node.addEventListener("peer:connect", ({ detail }) => {
    say({ event: "connected", peer: detail.toString() });
  });
  return node;
}

function startGrpc(address: string, peerCount: number): Promise<string> {
  const definitions = loadFileDescriptorSetFromBuffer(
    Buffer.from(descriptors.fileDescriptorSet, "base64"),
    { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true },
  );
  const peers = Array.from({ length: peerCount }, (_, index) => fixedPeer(index));
  const handlers: Record<string, Handler> = {
    "Ping": (_call, reply) => reply(null, { message: "pong" }),
    "ListPeers": (_call, reply) => reply(null, { peers }),
  };
  const server = new Server();
  server.addService(
    definitions["almena.daemon.v1.DaemonService"] as ServiceDefinition,
    handlers,
  );
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  server.bindAsync(address, ServerCredentials.createInsecure(), (failure, port) => {
    if (failure) reject(failure);
    else resolve(address.replace(/:\d+$/, `:${port}`));
  });
  return promise;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      "grpc-addr": { type: "string", default: "127.0.0.1:0" },
      "p2p-listen": { type: "string", default: "/ip4/0.0.0.0/tcp/0,/ip6/::/tcp/0" },
      "peers": { type: "string", default: "2" },
      "no-mdns": { type: "boolean", default: false },
    },
  });
  const node = await startLibp2p(values["p2p-listen"].split(","), !values["no-mdns"]);
  const libp2pMs = performance.now();
  const grpc = await startGrpc(values["grpc-addr"], Number(values.peers));
  const timing = {
    "imported_ms": importedMs,
    "libp2p_ms": libp2pMs,
    "ready_ms": performance.now(),
  };
  const addrs = node.getMultiaddrs().map(String);
  process.on("SIGTERM", () => process.exit(0));
  say({ grpc, "peer_id": node.peerId.toString(), addrs, timing });
}

await main();
