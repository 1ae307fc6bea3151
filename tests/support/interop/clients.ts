/** Clients of others against a p2pd, verb by verb: "ok", or what went wrong. */
import { createClient } from "@libp2p/daemon-client";
import { publicKeyToProtobuf } from "@libp2p/crypto/keys";
import type { Ed25519PeerId, PeerId, Stream } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { CID } from "multiformats/cid";
import { sha256 } from "multiformats/hashes/sha2";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { withDeadline } from "../../../src/core/mod.ts";
import { encodeControlAddress } from "../../../src/p2pd/wire/control_address.ts";
import {
  RemoveStreamHandlerRequest,
  REQUEST,
  Request,
  RESPONSE,
  Response,
} from "../../../src/p2pd/wire/messages.ts";
import { almenadCommand } from "../daemon.ts";
import { cacheFolder, type ForeignProgram, isPrepared, runCommand } from "../foreign_peers.ts";
import { GO_P2PD } from "../go_p2pd.ts";
import { Persistent } from "../p2pd_persistent.ts";
import type { P2pd } from "../p2pd_process.ts";
import { waitFor } from "../wait.ts";

/** A protocol that every peer answers with what it was sent, 32 bytes at a time. */
const PING = "/ipfs/ping/1.0.0";
const PAYLOAD = new Uint8Array(32).fill(7);

/** Outcome by verb. */
export type Outcomes = Record<string, string>;

const VENV = join(cacheFolder(), "p2pclient-0.3.0");

/** PyPI p2pclient, in a folder of its own. */
export const PYTHON_P2PCLIENT: ForeignProgram = {
  name: "PyPI p2pclient",
  path: join(VENV, "bin", "python"),
  async prepare() {
    if (isPrepared(PYTHON_P2PCLIENT)) return undefined;
    const made = await runCommand("python3", ["-m", "venv", VENV]);
    if (!made.ok) return `python3 -m venv failed: ${made.reason}`;
    const install = ["install", "--quiet", "p2pclient==0.3.0"];
    const { ok, reason } = await runCommand(join(VENV, "bin", "pip"), install);
    return ok ? undefined : `pip install failed: ${reason}`;
  },
};

const HIVEMIND_VENV = join(cacheFolder(), "hivemind-1.1.12");
/** What hivemind's parts for the network import; torch is none of it. */
const HIVEMIND_NEEDS = [
  ...["base58", "cryptography", "idna", "msgpack", "netaddr", "protobuf>=5.29", "py-cid"],
  ...["py-multihash", "pydantic>=2", "sortedcontainers", "uvloop", "varint"],
];

/** hivemind's own P2P and DHTNode, in a folder of its own. */
export const HIVEMIND: ForeignProgram = {
  name: "hivemind P2P",
  path: join(HIVEMIND_VENV, "bin", "python"),
  async prepare() {
    if (isPrepared(HIVEMIND)) return undefined;
    const pip = join(HIVEMIND_VENV, "bin", "pip");
    const commands: [string, string[]][] = [
      ["python3", ["-m", "venv", HIVEMIND_VENV]],
      [pip, ["install", "--quiet", ...HIVEMIND_NEEDS]],
      [pip, ["install", "--quiet", "--no-deps", "hivemind==1.1.12"]],
    ];
    for (const [command, args] of commands) {
      const { ok, reason } = await runCommand(command, args);
      if (!ok) return `${args.slice(0, 2).join(" ")} failed: ${reason}`;
    }
    return undefined;
  },
};

const bytes = (text: string) => new TextEncoder().encode(text);

/** PyPI p2pclient drives `p2pd`; `other` is the peer it speaks to. */
export async function pythonClient(p2pd: P2pd, other: P2pd): Promise<Outcomes> {
  const script = join(import.meta.dirname ?? ".", "p2pclient_verbs.py");
  const listen = `/unix${p2pd.folder}/python.sock`;
  const args = [script, p2pd.listen, listen, other.peerId, other.info.addrs[0] ?? ""];
  return await outcomesOf(PYTHON_P2PCLIENT, args);
}

/** hivemind starts two daemons itself: ours, and the other one it is joined with. */
export async function hivemindClient(other: "almenad" | "go"): Promise<Outcomes> {
  const folder = await Deno.makeTempDir({ prefix: "p2pd-" });
  const ours = join(folder, "p2pd");
  const words = [...almenadCommand(), "p2pd"].map((word) => `'${word}'`);
  await Deno.writeTextFile(ours, `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`, { mode: 0o755 });
  const script = join(import.meta.dirname ?? ".", "hivemind_verbs.py");
  const found = await outcomesOf(HIVEMIND, [script, ours, other === "go" ? GO_P2PD.path : ours]);
  await Deno.remove(folder, { recursive: true });
  return found;
}

async function outcomesOf(python: ForeignProgram, args: string[]): Promise<Outcomes> {
  const output = await new Deno.Command(python.path, {
    args,
    stdin: "null",
    signal: AbortSignal.timeout(120_000),
  }).output();
  const line = new TextDecoder().decode(output.stdout).trim().split("\n").at(-1) ?? "";
  if (line.startsWith("{")) return JSON.parse(line) as Outcomes;
  return { IDENTIFY: new TextDecoder().decode(output.stderr).slice(-300) };
}

type Attempts = Record<string, () => Promise<unknown>>;

async function outcomes(attempts: Attempts): Promise<Outcomes> {
  const results: Outcomes = {};
  for (const [verb, attempt] of Object.entries(attempts)) {
    try {
      await withDeadline(attempt(), 20_000, verb);
      results[verb] = "ok";
    } catch (failure) {
      results[verb] = String(failure).slice(0, 200);
    }
  }
  return results;
}

function check(isTrue: boolean): void {
  if (!isTrue) throw new TypeError("another answer than expected");
}

/** npm @libp2p/daemon-client drives `p2pd`, which listens on TCP. */
export async function javascriptClient(p2pd: P2pd, other: P2pd): Promise<Outcomes> {
  const client = createClient(multiaddr(p2pd.listen));
  const peer = peerIdFromString(other.peerId);
  const cid = CID.createV1(0x55, await sha256.digest(bytes("javascript")));
  return await outcomes({
    IDENTIFY: async () => check((await client.identify()).peerId.toString() === p2pd.peerId),
    CONNECT: () => client.connect(peer, other.info.addrs.map((addr) => multiaddr(addr))),
    LIST_PEERS: async () => check((await client.listPeers()).some((id: PeerId) => id.equals(peer))),
    STREAM_OPEN: async () => {
      const stream = await client.openStream(peer, PING);
      stream.send(PAYLOAD);
      for await (const chunk of stream) {
        check(Buffer.compare(chunk.subarray(), PAYLOAD) === 0);
        break;
      }
      stream.abort(new TypeError("done"));
    },
    STREAM_HANDLER: async () => {
      await client.registerStreamHandler("/js/1", async (stream: Stream) => await stream.close());
      await opened(other, p2pd, "/js/1");
    },
    "DHT FIND_PEER": async () => check((await client.dht.findPeer(peer)).id.equals(peer)),
    "DHT PUT_VALUE": () => client.dht.put(bytes("/js/key"), bytes("value")),
    "DHT GET_VALUE": async () =>
      check(new TextDecoder().decode(await client.dht.get(bytes("/js/key"))) === "value"),
    "DHT PROVIDE": () => client.dht.provide(cid),
    "DHT FIND_PROVIDERS": async () => {
      for await (const { id } of client.dht.findProviders(cid, 1)) {
        return check(id.toString() === p2pd.peerId);
      }
      check(false);
    },
    // A peer is in the routing table once it has been asked what it speaks.
    "DHT GET_CLOSEST_PEERS": () =>
      waitFor("close peers", async () => {
        for await (const _peer of client.dht.getClosestPeers(bytes("key"))) return true;
        return false;
      }),
    PUBSUB: async () => {
      const subscription = await client.pubsub.subscribe("js");
      check((await client.pubsub.getTopics()).includes("js"));
      await client.pubsub.getSubscribers("js");
      await client.pubsub.publish("js", bytes("data"));
      for await (const message of subscription.messages()) {
        check(new TextDecoder().decode(message.data) === "data");
        break;
      }
      await subscription.cancel();
    },
  });
}

/** Our own client drives `p2pd`, of either kind. */
export async function ownClient(p2pd: P2pd, other: P2pd): Promise<Outcomes> {
  const { client } = p2pd;
  const cid = CID.createV1(0x55, await sha256.digest(bytes("own")));
  const { key, value } = p2pd.kind === "go" ? publicKeyRecord(p2pd) : OPEN_RECORD;
  const found = await outcomes({
    IDENTIFY: () => client.identify(),
    CONNECT: () => client.connect(other.peerId, other.info.addrs),
    LIST_PEERS: async () =>
      check((await client.listPeers()).some(({ peerId }) => peerId === other.peerId)),
    STREAM_OPEN: async () => {
      const { socket } = await client.streamOpen(other.peerId, [PING]);
      socket.write(PAYLOAD);
      for await (const chunk of socket) {
        check(Buffer.compare(chunk as Uint8Array, PAYLOAD) === 0);
        break;
      }
    },
    STREAM_HANDLER: async () => {
      await client.registerStreamHandler(["/own/1"], ({ socket }) => void socket.resume().end());
      await opened(other, p2pd, "/own/1");
    },
    REMOVE_STREAM_HANDLER: () => removeHandler(p2pd),
    "CONNMANAGER tag": () => client.tagPeer(other.peerId, "t", 5),
    "CONNMANAGER untag": async () => {
      const connManager = { type: 1, peer: idOf(other), tag: "t" };
      const [answer] = await asked(p2pd, { type: REQUEST.connManager, connManager });
      check(answer?.type === RESPONSE.ok);
    },
    "CONNMANAGER trim": () => client.trim(),
    "DHT FIND_PEER": () => client.dhtFindPeer(other.peerId, 5),
    "DHT PUT_VALUE": () => client.dhtPutValue(key, value, 5),
    "DHT GET_VALUE": () => client.dhtGetValue(key, 5),
    "DHT SEARCH_VALUE": async () => check((await client.dhtSearchValue(key, 5)).length > 0),
    "DHT PROVIDE": () => client.dhtProvide(cid, 5),
    "DHT FIND_PROVIDERS": async () => check((await client.dhtFindProviders(cid, 1, 5)).length > 0),
    "DHT GET_CLOSEST_PEERS": () => client.dhtClosestPeers(bytes("key"), 5),
    "DHT GET_PUBLIC_KEY": () => client.dhtGetPublicKey(other.peerId, 5),
    "DHT FIND_PEERS_CONNECTED_TO_PEER": async () => {
      const dht = { type: 1, peer: idOf(other) };
      const [answer] = await asked(p2pd, { type: REQUEST.dht, dht });
      check(answer?.error?.msg === "not supported");
    },
    PUBSUB: () => pubsub(p2pd, other),
    "PERSISTENT unary calls out": () => unary(p2pd, other),
    "PERSISTENT unary calls in": () => unary(other, p2pd),
    DISCONNECT: () => client.disconnect(other.peerId),
  });
  for (const one of OPEN.splice(0)) one.close();
  return found;
}

const idOf = ({ peerId }: P2pd) => peerIdFromString(peerId).toMultihash().bytes;

/** A stream that the handler of a program takes and ends. */
async function opened(from: P2pd, to: P2pd, protocol: string): Promise<void> {
  const { socket } = await from.client.streamOpen(to.peerId, [protocol], 10);
  socket.resume();
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once("end", () => socket.end()).once("close", resolve);
  await promise;
}

async function asked(p2pd: P2pd, request: Parameters<typeof Request.encode>[0]) {
  const frames = await p2pd.raw(Request.encode(request));
  return frames === "closed" ? [] : frames.map((frame) => Response.decode(frame));
}

async function removeHandler(p2pd: P2pd): Promise<void> {
  const handler = { addr: encodeControlAddress({ path: "/tmp/none.sock" }), proto: ["/own/2"] };
  const request = { type: REQUEST.streamHandler, streamHandler: { ...handler, balanced: false } };
  check((await asked(p2pd, request))[0]?.type === RESPONSE.ok);
  // Behind the length that stands alone, as the field has one of its own.
  const body9 = RemoveStreamHandlerRequest.encode(handler).subarray(1);
  const remove = { type: REQUEST.removeStreamHandler, body9 };
  check((await asked(p2pd, remove))[0]?.type === RESPONSE.ok);
  check(/does not exist/.test((await asked(p2pd, remove))[0]?.error?.msg ?? ""));
}

/** A message of each of two daemons, at both. */
async function pubsub(p2pd: P2pd, other: P2pd): Promise<void> {
  const both = [p2pd, other];
  const subscribed = await Promise.all(both.map(({ client }) => client.pubsubSubscribe("own")));
  const iterators = subscribed.map((messages) => messages[Symbol.asyncIterator]());
  for (const [one, peer] of [both, both.toReversed()] as [P2pd, P2pd][]) {
    check((await one.client.pubsubTopics()).includes("own"));
    await waitFor(
      "the other subscriber",
      async () => (await one.client.pubsubPeers("own")).includes(peer.peerId),
    );
    await one.client.pubsubPublish("own", bytes(one.peerId));
    for (const iterator of iterators) {
      const { value } = await iterator.next();
      check(new TextDecoder().decode(value?.data) === one.peerId);
    }
  }
  await Promise.all(iterators.map((iterator) => iterator.return?.()));
}

/** A program of one daemon calls a program of another. */
async function unary(from: P2pd, to: P2pd): Promise<void> {
  const server = await Persistent.open(to);
  const proto = `/own/unary/${from.kind}`;
  server.onCall = ({ callId, requestHandling }) => {
    if (!requestHandling) return;
    void server.send({ callId, unaryResponse: { response: requestHandling.data } });
  };
  check(!(await server.ask({ addUnaryHandler: { proto, balanced: false } })).daemonError);
  const caller = await Persistent.open(from);
  const answer = await caller.ask({ callUnary: { peer: idOf(to), proto, data: PAYLOAD } });
  check(Buffer.compare(answer.callUnaryResponse?.response ?? PAYLOAD.slice(1), PAYLOAD) === 0);
  OPEN.push(server, caller);
}

/** The Go daemon ends with the last of its persistent connections, so they stay. */
const OPEN: Persistent[] = [];

const OPEN_RECORD = { key: bytes("/own/key"), value: bytes("value") };

/** The only records that the Go daemon takes. */
function publicKeyRecord({ peerId }: P2pd): { key: Uint8Array; value: Uint8Array } {
  const id = peerIdFromString(peerId) as Ed25519PeerId;
  const key = Buffer.concat([Buffer.from("/pk/"), id.toMultihash().bytes]);
  return { key, value: publicKeyToProtobuf(id.publicKey) };
}
