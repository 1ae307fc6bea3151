/** Clients of others against a p2pd, verb by verb: "ok", or what went wrong. */
import { createClient } from "@libp2p/daemon-client";
import { publicKeyToProtobuf } from "@libp2p/crypto/keys";
import type { Ed25519PeerId, PeerId } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { CID } from "multiformats/cid";
import { sha256 } from "multiformats/hashes/sha2";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { withDeadline } from "../../../src/core/mod.ts";
import { cacheFolder, type ForeignProgram, runCommand } from "../foreign_peers.ts";
import type { P2pd } from "../p2pd_process.ts";

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
    const made = await runCommand("python3", ["-m", "venv", VENV]);
    if (!made.ok) return `python3 -m venv failed: ${made.reason}`;
    const install = ["install", "--quiet", "p2pclient==0.3.0"];
    const { ok, reason } = await runCommand(join(VENV, "bin", "pip"), install);
    return ok ? undefined : `pip install failed: ${reason}`;
  },
};

const bytes = (text: string) => new TextEncoder().encode(text);

/** PyPI p2pclient drives `p2pd`; `other` is the peer it speaks to. */
export async function pythonClient(p2pd: P2pd, other: P2pd): Promise<Outcomes> {
  const script = join(import.meta.dirname ?? ".", "p2pclient_verbs.py");
  const listen = `/unix${p2pd.folder}/python.sock`;
  const output = await new Deno.Command(PYTHON_P2PCLIENT.path, {
    args: [script, p2pd.listen, listen, other.peerId, other.info.addrs[0] ?? ""],
    stdin: "null",
    signal: AbortSignal.timeout(60_000),
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
    STREAM_HANDLER: () => client.registerStreamHandler("/js/1", () => Promise.resolve()),
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
    "DHT GET_CLOSEST_PEERS": async () => {
      for await (const _peer of client.dht.getClosestPeers(bytes("key"))) return;
      check(false);
    },
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
  return await outcomes({
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
    STREAM_HANDLER: () => client.registerStreamHandler(["/own/1"], ({ socket }) => socket.end()),
    "CONNMANAGER tag": () => client.tagPeer(other.peerId, "t", 5),
    "CONNMANAGER trim": () => client.trim(),
    "DHT FIND_PEER": () => client.dhtFindPeer(other.peerId, 5),
    "DHT PUT_VALUE": () => client.dhtPutValue(key, value, 5),
    "DHT GET_VALUE": () => client.dhtGetValue(key, 5),
    "DHT SEARCH_VALUE": async () => check((await client.dhtSearchValue(key, 5)).length > 0),
    "DHT PROVIDE": () => client.dhtProvide(cid, 5),
    "DHT FIND_PROVIDERS": async () => check((await client.dhtFindProviders(cid, 1, 5)).length > 0),
    "DHT GET_CLOSEST_PEERS": () => client.dhtClosestPeers(bytes("key"), 5),
    "DHT GET_PUBLIC_KEY": () => client.dhtGetPublicKey(other.peerId, 5),
    PUBSUB: async () => {
      const messages = await client.pubsubSubscribe("own");
      check((await client.pubsubTopics()).includes("own"));
      await client.pubsubPublish("own", bytes("data"));
      for await (const _message of messages) return;
    },
    DISCONNECT: () => client.disconnect(other.peerId),
  });
}

const OPEN_RECORD = { key: bytes("/own/key"), value: bytes("value") };

/** The only records that the Go daemon takes. */
function publicKeyRecord({ peerId }: P2pd): { key: Uint8Array; value: Uint8Array } {
  const id = peerIdFromString(peerId) as Ed25519PeerId;
  const key = Buffer.concat([Buffer.from("/pk/"), id.toMultihash().bytes]);
  return { key, value: publicKeyToProtobuf(id.publicKey) };
}
