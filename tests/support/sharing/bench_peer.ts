/**
 * A shared library on the daemon's own swarm that programs steer: JSON lines in, JSON lines out.
 *
 *     bench_peer.ts --dir <folder> [--listen <multiaddr>] [--strategy round-robin] [--limit <bytes/s>]
 *
 * Commands: {cmd:"dial",addr} {cmd:"scan"} {cmd:"get",id} {cmd:"served"} {cmd:"wait",id,peers} {cmd:"blast",peer,bytes};
 * each answer is {id,…}. The first line is {event:"ready",peer_id,addrs}.
 */
import { generateKeyPair } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey, peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { EventBus, systemClock } from "../../../src/core/mod.ts";
import { isLan } from "../../../src/network/addresses.ts";
import { PeerBook, ProtocolStreams, Swarm } from "../../../src/network/mod.ts";
import { writeAll } from "../../../src/network/streams.ts";
import { Catalog } from "../../../src/sharing/catalog.ts";
import { ArchiveUnpacker, Sharing, systemFiles } from "../../../src/sharing/mod.ts";
import { waitFor } from "../wait.ts";

const { values } = parseArgs({
  options: {
    dir: { type: "string", default: "" },
    listen: { type: "string", default: "/ip4/127.0.0.1/tcp/0" },
    strategy: { type: "string", default: "measured" },
    limit: { type: "string", default: "0" },
  },
});
const PLAIN = "/test/plain/1";
const privateKey = await generateKeyPair("Ed25519");
const selfId = peerIdFromPrivateKey(privateKey).toString();
const bus = new EventBus(() => selfId);
const peers = new PeerBook({ events: bus, monotonic: () => systemClock.monotonic(), isLan }, {
  selfId,
});
const swarm = new Swarm({
  ...{ clock: systemClock, peers, privateKey },
  ...{ onConnected: () => {}, onDisconnected: () => {}, onAddressesChanged: () => {} },
}, {
  ...{ listen: [values.listen], isListenOptional: false, maxConnections: 256 },
  agentVersion: "almenad-test/0",
});
await swarm.start();
for (const name of ["data", "config", "library"]) {
  mkdirSync(join(values.dir, name), { recursive: true });
}
const sharing = new Sharing({
  ...{ clock: systemClock, files: systemFiles, events: bus },
  streams: new ProtocolStreams({ node: () => swarm.node }),
  catalog: new Catalog(join(values.dir, "config")),
  unpacker: new ArchiveUnpacker({ files: systemFiles, external: () => [] }),
  limits: () => ({
    ...{
      uploadTotal: Number(values.limit),
      uploadPerPeer: 0,
      downloadTotal: 0,
      downloadPerPeer: 0,
    },
  }),
  mayShareWith: () => true,
  checkDir: (path) => Promise.resolve(path),
}, {
  selfId,
  dataDir: join(values.dir, "data"),
  defaultDir: join(values.dir, "library"),
  strategy: values.strategy === "round-robin" ? "round-robin" : "measured",
});
await sharing.start();
// The plain stream it is compared with: bytes that nobody looks at.
await swarm.node.handle(PLAIN, (stream) => {
  let bytes = 0;
  stream.addEventListener("message", ({ data }) => void (bytes += data.byteLength));
  stream.addEventListener("remoteCloseWrite", () => {
    stream.send(new TextEncoder().encode(String(bytes)));
    stream.close().catch(() => undefined);
  });
});

async function blast(peer: string, bytes: number): Promise<number> {
  const begun = performance.now();
  const stream = await swarm.node.dialProtocol(peerIdFromString(peer), PLAIN);
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.addEventListener("message", () => resolve());
  const piece = crypto.getRandomValues(new Uint8Array(65_536));
  for (let sent = 0; sent < bytes; sent += piece.byteLength) await writeAll(stream, piece);
  await stream.close();
  await promise;
  return performance.now() - begun;
}

type Command = Record<string, string | number>;
const COMMANDS: Record<string, (command: Command) => Promise<unknown>> = {
  dial: async ({ addr }) => void await swarm.node.dial(multiaddr(String(addr))),
  scan: async () => {
    const result = await sharing.scan();
    await sharing.settled();
    return result;
  },
  rescan: () => sharing.scan(),
  wait: async ({ id, peers = 1 }) => {
    await waitFor("peers", async () => {
      await sharing.peers.refresh();
      return (sharing.peers.latest(String(id))?.peers.length ?? 0) >= Number(peers);
    }, 60_000);
  },
  get: async ({ id }) => {
    const begun = performance.now();
    const signal = AbortSignal.timeout(600_000);
    await (await sharing.actions.download(String(id), { install: false, signal })).done;
    return { ms: performance.now() - begun };
  },
  latest: async ({ id }) => {
    const manifest = await sharing.actions.fetchLatest(String(id), AbortSignal.timeout(60_000));
    return { files: manifest.files.length };
  },
  served: () => Promise.resolve(sharing.served),
  blast: async ({ peer, bytes }) => ({ ms: await blast(String(peer), Number(bytes)) }),
};
const say = (event: unknown) => process.stdout.write(`${JSON.stringify(event)}\n`);
say({ event: "ready", peer_id: selfId, addrs: swarm.listenAddresses() });
for await (const line of createInterface({ input: process.stdin })) {
  const { id, cmd, ...rest } = JSON.parse(line) as { id: number; cmd: string } & Command;
  const command = "item" in rest ? { ...rest, id: rest["item"] ?? "" } : rest;
  const answer = COMMANDS[cmd]?.(command) ?? Promise.reject(new TypeError("unknown"));
  answer.then(
    (result) => say({ id, event: "done", result: result ?? {} }),
    (error) => say({ id, event: "failed", message: String(error) }),
  );
}
await sharing.stop();
await swarm.stop();
process.exit(0);
