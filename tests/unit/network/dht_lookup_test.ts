import { generateKeyPair } from "@libp2p/crypto/keys";
import type { PeerId, PeerInfo } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type DhtNetwork, KeptStreams } from "../../../src/network/dht/kept_streams.ts";
import { LookupEnd } from "../../../src/network/dht/lookup_end.ts";
import { tellNews } from "../../../src/network/dht/peer_news.ts";

const KEY = new TextEncoder().encode("/a/key");

async function peers(count: number): Promise<PeerId[]> {
  const point = (bytes: Uint8Array) =>
    BigInt(`0x${createHash("sha256").update(bytes).digest("hex")}`);
  const all = await Promise.all(
    Array.from(
      { length: count },
      async () => peerIdFromPrivateKey(await generateKeyPair("Ed25519")),
    ),
  );
  const distance = (id: PeerId) => point(id.toMultihash().bytes) ^ point(KEY);
  return all.sort((a, b) => distance(a) < distance(b) ? -1 : 1);
}

Deno.test("LookupEnd.answered() is content once the three closest of all named have answered", async () => {
  const ids = await peers(8);
  const named = ids.map((id) => ({ id }));
  const end = new LookupEnd(KEY);
  assert.equal(end.answered(ids[7]!, named), false);
  assert.equal(end.answered(ids[2]!, named), false);
  assert.equal(end.answered(ids[1]!, []), false);
  assert.equal(end.answered(ids[0]!, []), true);
});

Deno.test("LookupEnd.answered() passes over who does not answer, and needs three", async () => {
  const ids = await peers(5);
  const end = new LookupEnd(KEY);
  end.dropped(ids[0]!);
  assert.equal(end.answered(ids[1]!, ids.slice(0, 3).map((id) => ({ id }))), false);
  assert.equal(end.answered(ids[2]!, []), false); // of two alone nobody knows whether they are near
  assert.equal(end.answered(ids[3]!, []), true);
});

Deno.test("tellNews() passes each peer on once, again with other addresses, and never ourselves", async () => {
  const [self, other] = await peers(2) as [PeerId, PeerId];
  const told: PeerInfo[] = [];
  const teller = {
    safeDispatchEvent: (_type: string, { detail }: { detail: PeerInfo }) => told.push(detail) > 0,
  };
  tellNews(teller, () => self.toString());
  const tell = (id: PeerId, port: number) =>
    teller.safeDispatchEvent("peer", {
      detail: { id, multiaddrs: [multiaddr(`/ip4/127.0.0.1/tcp/${port}`)] },
    });
  for (const [id, port] of [[self, 1], [other, 1], [other, 1], [other, 2]] as const) tell(id, port);
  assert.deepEqual(told.map(({ multiaddrs }) => multiaddrs.join()), [
    "/ip4/127.0.0.1/tcp/1",
    "/ip4/127.0.0.1/tcp/2",
  ]);
});

/** As much of a stream as is looked at. */
class FakeStream extends EventTarget {
  status = "open";
  writeStatus = "writable";
  remoteWriteStatus = "writable";
  listeners = 0;

  override addEventListener(...args: Parameters<EventTarget["addEventListener"]>): void {
    if (args[0] === "message") this.listeners++;
    super.addEventListener(...args);
  }
  override removeEventListener(...args: Parameters<EventTarget["removeEventListener"]>): void {
    if (args[0] === "message") this.listeners--;
    super.removeEventListener(...args);
  }
  close(): Promise<void> {
    this.status = "closed";
    this.dispatchEvent(new Event("close"));
    return Promise.resolve();
  }
  abort(): void {
    void this.close();
  }
}

Deno.test("KeptStreams gives a stream again, without its last user's listeners, and one anew for a dead one", async () => {
  const [peer] = await peers(1) as [PeerId];
  const opened: FakeStream[] = [];
  let broken: unknown = "none yet";
  const network = {
    protocol: "/kad",
    components: {
      connectionManager: {
        openStream: () => {
          const stream = new FakeStream();
          opened.push(stream);
          return Promise.resolve(stream);
        },
      },
    },
    _writeReadMessage: (stream: FakeStream, message: unknown) => {
      stream.addEventListener("message", () => undefined);
      if (opened.length === 1 && broken === message) return Promise.reject(new TypeError("gone"));
      return Promise.resolve(`answer to ${message}`);
    },
  } as unknown as DhtNetwork;
  const kept = new KeptStreams(network);
  const ask = async (message: string) => {
    const stream = await network.components.connectionManager.openStream(peer, "/kad", {});
    const answer = await network._writeReadMessage(stream, message, {});
    await stream.close();
    return answer;
  };
  assert.equal(await ask("one"), "answer to one");
  assert.deepEqual([opened.length, kept.idle, opened[0]?.listeners], [1, 1, 0]);
  assert.equal(await ask("two"), "answer to two");
  assert.equal(opened.length, 1);

  broken = "three"; // the other side has given the stream up meanwhile
  assert.equal(await ask("three"), "answer to three");
  assert.deepEqual([opened.length, opened[0]?.status, kept.idle], [2, "closed", 1]);

  await opened[1]?.close();
  assert.equal(kept.idle, 0);
  assert.equal(await ask("four"), "answer to four");
  assert.equal(opened.length, 3);
  await opened[2]?.close();
});
