/** Our p2pd beside the Go one: the same requests, the same bytes; then each with the other. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { CID } from "multiformats/cid";
import { sha256 } from "multiformats/hashes/sha2";
import { Request, Response } from "../../src/p2pd/wire/messages.ts";
import { isPrepared } from "../support/foreign_peers.ts";
import { GO_P2PD } from "../support/go_p2pd.ts";
import { type Need, testNeeding } from "../support/needs.ts";
import { P2pd } from "../support/p2pd_process.ts";
import { waitFor } from "../support/wait.ts";

const goP2pd: Need = { name: "Go p2pd", isMet: isPrepared(GO_P2PD) };
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array | undefined) => new TextDecoder().decode(data);
const hex = (data: Uint8Array) => Buffer.from(data).toString("hex");

async function both(flags: readonly string[], use: (ours: P2pd, go: P2pd) => Promise<void>) {
  await using ours = await P2pd.start("almenad", { flags });
  await using go = await P2pd.start("go", { flags });
  await use(ours, go);
}

function collect(socket: Duplex): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("end", () => resolve(Buffer.concat(chunks)));
  socket.on("error", reject);
  return promise;
}

testNeeding([goP2pd], "p2pd answers byte for byte as the Go daemon", async () => {
  await both(["-pubsub"], async (ours, go) => {
    const stranger = Uint8Array.from([0x00, 0x24, 8, 1, 0x12, 0x20, ...randomBytes(32)]);
    const same: Record<string, Uint8Array> = {
      "list peers": Request.encode({ type: 5 }),
      "disconnect a stranger": Request.encode({ type: 7, disconnect: { peer: stranger } }),
      "trim": Request.encode({ type: 6, connManager: { type: 2 } }),
      "tag": Request.encode({
        type: 6,
        connManager: { type: 0, peer: stranger, tag: "t", weight: 7 },
      }),
      "DHT off": Request.encode({ type: 4, dht: { type: 5, key: bytes("/pk/x") } }),
      "no topics": Request.encode({ type: 8, pubsub: { type: 0 } }),
      "publish": Request.encode({ type: 8, pubsub: { type: 2, topic: "t", data: bytes("x") } }),
      "connect without body": Request.encode({ type: 1 }),
      "stream without body": Request.encode({ type: 2 }),
      "handler without body": Request.encode({ type: 3 }),
      "disconnect without body": Request.encode({ type: 7 }),
      "connection manager without body": Request.encode({ type: 6 }),
      "pubsub without body": Request.encode({ type: 8 }),
      "handler": Request.encode({
        type: 3,
        streamHandler: { addr: UNIX_ADDRESS, proto: ["/p"], balanced: false },
      }),
      "handler of another": Request.encode({
        type: 3,
        streamHandler: { addr: OTHER_ADDRESS, proto: ["/p"], balanced: false },
      }),
      "unknown type": Uint8Array.from([2, 8, 77]),
      "empty message": Uint8Array.from([0]),
      "no message": Uint8Array.from([3, 0xff, 0xff, 0xff]),
      "over-long message": Uint8Array.from([0x81, 0x80, 0x80, 0x02]),
    };
    for (const [name, request] of Object.entries(same)) {
      const answers = await Promise.all([ours.raw(request), go.raw(request)]);
      const [mine, reference] = answers.map((frames) =>
        frames === "closed" ? "closed" : frames.map(hex).join()
      );
      assert.equal(
        mine,
        reference,
        `${name}: ${answers.map((a) => a === "closed" ? a : text(a[0]))}`,
      );
    }
  });
});

const UNIX_ADDRESS = Uint8Array.from([0x90, 0x03, 8, ...bytes("/tmp/a.s")]);
const OTHER_ADDRESS = Uint8Array.from([0x90, 0x03, 8, ...bytes("/tmp/b.s")]);

testNeeding(
  [goP2pd],
  "p2pd IDENTIFY, CONNECT, LIST_PEERS, DISCONNECT with Go, both ways",
  async () => {
    await both([], async (ours, go) => {
      for (const [from, to] of [[ours, go], [go, ours]] as const) {
        assert.ok(from.info.addrs.every((addr) => !addr.includes("/p2p/")));
        await from.join(to);
        assert.deepEqual((await from.client.listPeers()).map(({ peerId }) => peerId), [to.peerId]);
        await from.client.disconnect(to.peerId);
        await waitFor("no peers", async () => (await from.client.listPeers()).length === 0);
        await assert.rejects(
          from.client.connect(from.peerId, from.info.addrs),
          /dial to self attempted/,
        );
      }
    });
  },
);

testNeeding([goP2pd], "p2pd STREAM_OPEN and STREAM_HANDLER with Go, both ways", async () => {
  await both([], async (ours, go) => {
    await ours.join(go);
    const content = randomBytes(4 * 1024 * 1024);
    for (const [from, to] of [[ours, go], [go, ours]] as const) {
      await to.client.registerStreamHandler(["/known/1"], ({ socket, peerId, protocol }) => {
        assert.equal(peerId, from.peerId);
        assert.equal(protocol, "/known/1");
        socket.pipe(socket);
      });
      const stream = await from.client.streamOpen(to.peerId, ["/unknown", "/known/1"]);
      assert.equal(stream.protocol, "/known/1");
      const { promise: whole, resolve } = Promise.withResolvers<void>();
      const digest = createHash("sha256");
      let size = 0;
      stream.socket.on("data", (chunk: Buffer) => {
        digest.update(chunk);
        if ((size += chunk.length) === content.length) resolve();
      });
      stream.socket.write(content);
      await whole;
      assert.equal(digest.digest("hex"), createHash("sha256").update(content).digest("hex"));
      stream.socket.destroy();
      await assert.rejects(from.client.streamOpen(to.peerId, ["/unknown"], 5));
    }
  });
});

Deno.test("p2pd streams pass half-closes on, deliver the reply, and 200 run at once", async () => {
  await using a = await P2pd.start("almenad");
  await using b = await P2pd.start("almenad");
  await a.join(b);
  await b.client.registerStreamHandler(["/reply"], async ({ socket }) => {
    socket.end(`reply to ${text(await collect(socket))}`);
  });
  const ask = async (words: string) => {
    const { socket } = await a.client.streamOpen(b.peerId, ["/reply"]);
    const answer = collect(socket);
    socket.end(words);
    return text(await answer);
  };
  assert.equal(await ask("abc"), "reply to abc");
  const answers = await Promise.all(Array.from({ length: 200 }, (_, at) => ask(`${at}`)));
  assert.deepEqual(answers, Array.from({ length: 200 }, (_, at) => `reply to ${at}`));
});

Deno.test("p2pd shares balanced handlers in turn and drops those that do not answer", async () => {
  await using a = await P2pd.start("almenad");
  await using b = await P2pd.start("almenad");
  await a.join(b);
  const other = new (b.client.constructor as new (listen: string) => typeof b.client)(b.listen);
  for (const [client, name] of [[b.client, "one"], [other, "two"]] as const) {
    const take = ({ socket }: { socket: Duplex }) => void socket.resume().end(name);
    await client.registerStreamHandler(["/shared"], take, { balanced: true });
  }
  const seen: string[] = [];
  for (let at = 0; at < 4; at++) {
    const { socket } = await a.client.streamOpen(b.peerId, ["/shared"]);
    seen.push(text(await collect(socket)));
    socket.end();
  }
  assert.deepEqual(seen.sort(), ["one", "one", "two", "two"]);
  await assert.rejects(
    other.registerStreamHandler(["/shared"], () => undefined),
    /handler for protocol \/shared already set/,
  );
  const gone = Request.encode({
    type: 3,
    streamHandler: { addr: UNIX_ADDRESS, proto: ["/gone"], balanced: false },
  });
  assert.notEqual(await b.raw(gone), "closed");
  for (let at = 0; at < 3; at++) {
    const { socket } = await a.client.streamOpen(b.peerId, ["/gone"]);
    await collect(socket).catch(() => undefined);
    socket.destroy();
  }
  await waitFor(
    "the handler to be dropped",
    () =>
      a.client.streamOpen(b.peerId, ["/gone"], 2).then(({ socket }) => {
        socket.destroy();
        return false;
      }, () => true),
  );
  await other.close();
});

async function cidOf(content: string): Promise<CID> {
  return CID.createV1(0x55, await sha256.digest(bytes(content)));
}

Deno.test("p2pd DHT of a lone node puts, gets and provides at once", async () => {
  await using lone = await P2pd.start("almenad", { flags: ["-dht"] });
  const { client } = lone;
  const begun = performance.now();
  await client.dhtPutValue(bytes("/my-namespace/my-key"), bytes("my-value"), 60);
  assert.equal(
    text((await client.dhtGetValue(bytes("/my-namespace/my-key"), 30)).value),
    "my-value",
  );
  await client.dhtPutValue(bytes("plain"), bytes("also"));
  assert.equal(text((await client.dhtGetValue(bytes("plain"))).value), "also");
  await client.dhtProvide(await cidOf("mine"));
  const providers = await client.dhtFindProviders(await cidOf("mine"));
  assert.deepEqual(providers.map(({ peerId }) => peerId), [lone.peerId]);
  assert.ok(performance.now() - begun < 4_000, "each answer within a second");
  await assert.rejects(client.dhtGetValue(bytes("/my-namespace/none")), /routing: not found/);
  await assert.rejects(client.dhtPutValue(bytes("/pk/wrong"), bytes("x")), /invalid record/);
  await assert.rejects(client.dhtPutValue(bytes("/ipns/wrong"), bytes("x")), /invalid record/);
  const text_ = await lone.raw(Request.encode({ type: 4, dht: { type: 1 } }));
  assert.notEqual(text_, "closed");
  assert.equal(Response.decode(text_[0] as Uint8Array).error?.msg, "not supported");
});

Deno.test("p2pd DHT of three nodes: what one puts another gets, the newest value first", async () => {
  await using a = await P2pd.start("almenad", { flags: ["-dht"] });
  await using b = await P2pd.start("almenad", { flags: ["-dht"] });
  await using c = await P2pd.start("almenad", { flags: ["-dht"] });
  await a.join(b);
  await c.join(b);
  await waitFor(
    "routing tables",
    async () => (await c.client.dhtClosestPeers(bytes("k"))).length > 0,
  );
  await a.client.dhtPutValue(bytes("/n/key"), bytes("old"));
  assert.equal(text((await c.client.dhtGetValue(bytes("/n/key"))).value), "old");
  await c.client.dhtPutValue(bytes("/n/key"), bytes("new"));
  assert.equal(text((await a.client.dhtGetValue(bytes("/n/key"))).value), "new");
  const found = await a.client.dhtFindPeer(c.peerId);
  assert.deepEqual(found.addrs, c.info.addrs);
});

testNeeding([goP2pd], "p2pd DHT with Go: providers, peers and keys both ways", async () => {
  await using hub = await P2pd.start("go", { flags: ["-dhtServer"] });
  await both(["-dhtServer"], async (ours, go) => {
    await ours.join(hub);
    await go.join(hub);
    for (const [from, to] of [[ours, go], [go, ours]] as const) {
      const cid = await cidOf(`from ${from.kind}`);
      await waitFor("a provider record", async () => {
        await from.client.dhtProvide(cid, 5);
        const found = await to.client.dhtFindProviders(cid, 1, 3);
        return found[0]?.peerId === from.peerId;
      }, 15_000);
      assert.deepEqual((await to.client.dhtFindPeer(from.peerId, 5)).addrs, from.info.addrs);
      assert.equal((await to.client.dhtGetPublicKey(from.peerId, 5)).length, 36);
      assert.ok((await to.client.dhtClosestPeers(bytes("any"), 5)).includes(hub.peerId));
    }
  });
});

async function firstMessage(p2pd: P2pd, topic: string) {
  const messages = await p2pd.client.pubsubSubscribe(topic);
  const iterator = messages[Symbol.asyncIterator]();
  return async () => {
    const { value } = await iterator.next();
    await iterator.return?.();
    return value;
  };
}

for (const router of ["gossipsub", "floodsub"]) {
  testNeeding([goP2pd], `p2pd PUBSUB over ${router} with Go, both ways`, async () => {
    await both(["-pubsub", `-pubsubRouter=${router}`], async (ours, go) => {
      await ours.join(go);
      for (const [from, to] of [[ours, go], [go, ours]] as const) {
        const topic = `from-${from.kind}`;
        const at = { from: await firstMessage(from, topic), to: await firstMessage(to, topic) };
        await waitFor(
          "subscribers",
          async () => (await from.client.pubsubPeers(topic)).includes(to.peerId),
        );
        assert.deepEqual(await from.client.pubsubTopics(), [topic]);
        await from.client.pubsubPublish(topic, bytes("hello"));
        for (const next of [at.to, at.from]) {
          const message = await next();
          assert.equal(text(message.data), "hello");
          assert.deepEqual(message.topicIDs, [topic]);
          assert.equal(message.seqno?.length, 8);
        }
        await waitFor("no topics", async () => (await from.client.pubsubTopics()).length === 0);
      }
      assert.deepEqual(await ours.client.pubsubPeers(), []);
    });
  });
}

Deno.test("p2pd CONNMANAGER closes the connections of least weight", async () => {
  const flags = ["-connManager", "-connLo=1", "-connHi=2", "-connGrace=0"];
  await using center = await P2pd.start("almenad", { flags });
  await using kept = await P2pd.start("almenad");
  await using other = await P2pd.start("almenad");
  await center.join(kept);
  await center.client.tagPeer(kept.peerId, "dear", 10);
  await center.join(other);
  await center.client.trim();
  await waitFor("one peer", async () => (await center.client.listPeers()).length === 1);
  assert.equal((await center.client.listPeers())[0]?.peerId, kept.peerId);
});

for (const listen of ["/unix/", "/unix//", "/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0"]) {
  Deno.test(`p2pd listens on ${listen}… and ends in order`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "p2pd-" });
    const path = `${folder.slice(1)}/x.sock`;
    await using p2pd = await P2pd.start("almenad", {
      listen: listen.startsWith("/unix") ? `${listen}${path}` : listen,
    });
    assert.equal(await p2pd.client.identify(), p2pd.peerId);
    const lines = p2pd.process.lines.slice(0, 4).map((line) =>
      line.split(" ").slice(0, 2).join(" ")
    );
    assert.deepEqual(lines.slice(0, 3), ["Control socket:", "Peer ID:", "Peer Addrs:"]);
    assert.equal(lines[3], p2pd.info.addrs[0]);
    if (listen.startsWith("/unix")) {
      assert.equal((await Deno.stat(`/${path}`)).mode! & 0o777, 0o600);
    }
    const { code } = await p2pd.stop("SIGTERM");
    assert.equal(code, 0);
    if (listen.startsWith("/unix")) await assert.rejects(Deno.stat(`/${path}`));
    await Deno.remove(folder, { recursive: true });
  });
}
