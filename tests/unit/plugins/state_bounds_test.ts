/** Queues and files of trust and networks stay within their bounds, and a failed write is undone. */
import assert from "node:assert/strict";
import { chmod, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { DaemonError, systemClock } from "../../../src/core/mod.ts";
import { JsonStore, MAX_FILE_BYTES } from "../../../src/plugins/json_store.ts";
import { Networks } from "../../../src/plugins/networks.ts";
import type { Connection, Daemon } from "../../../src/plugins/plugin.ts";
import { MAX_PER_TARGET, Relay, RELAY_PROTOCOL } from "../../../src/plugins/trust/relay.ts";
import { MAX_OUTGOING, TrustBook } from "../../../src/plugins/trust/trust_book.ts";
import { sendOwnRequest } from "../../../src/plugins/trust/own_request.ts";
import { testWithLibp2p } from "../../support/libp2p_pair.ts";
import { befriend, PluginNode } from "../../support/plugin_node.ts";
import { tempFolder } from "../../support/temp_folder.ts";

const SELF = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
const PEER = "12D3KooWGRYZDHBembyGJQqMbYDbLAEbkSBFGkLkZpJxSfE5oyjL";
const ENTRY = {
  ...{ peerId: PEER, nodeId: 1, publicKey: "", approvedAt: "2026-01-01T00:00:00.000Z" },
  ...{ mutual: false, network: 0 },
};

Deno.test("JsonStore.save() writes nothing that read() would refuse", async () => {
  await using folder = await tempFolder();
  const store = new JsonStore(join(folder.path, "x.json"));
  await store.save(() => ["old"]);
  await assert.rejects(store.save(() => ["x".repeat(MAX_FILE_BYTES)]), {
    code: "resource_exhausted",
  });
  assert.deepEqual(await store.read(), ["old"]);
  const largest = ["x".repeat(MAX_FILE_BYTES - 20)];
  await store.save(() => largest);
  assert.deepEqual(await store.read(), largest);
});

Deno.test("Networks that cannot be written are as they were", async () => {
  await using root = await tempFolder();
  const folder = join(root.path, "data");
  await mkdir(folder);
  const published: string[] = [];
  const networks = new Networks({
    store: new JsonStore(join(folder, "networks.json")),
    selfId: () => SELF,
    publish: (topic) => void published.push(topic),
  });
  await networks.join({ id: 1, name: "one", token: "t" });
  await networks.addMember(1, PEER);
  await networks.setTags(1, PEER, ["web"]);
  published.length = 0;
  await rm(folder, { recursive: true });
  const before = structuredClone(networks.list());
  const refused = { code: "unavailable" };
  await assert.rejects(networks.join({ id: 2, name: "two", token: "t" }), refused);
  await assert.rejects(networks.setTags(1, PEER, ["eu"]), refused);
  await assert.rejects(networks.addMember(1, "12D3KooWother"), refused);
  await assert.rejects(networks.removeMember(1, PEER), refused);
  await assert.rejects(networks.leave(1), refused);
  assert.deepEqual(networks.list(), before);
  assert.deepEqual(published, []);
  await mkdir(folder);
  await networks.join({ id: 2, name: "two", token: "t" }); // what was refused before
  assert.deepEqual(published, ["network.joined"]);
});

Deno.test("TrustBook undoes a failed change, but not what was changed and kept since", async () => {
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const saves = [first.promise, second.promise];
  const book = new TrustBook({ save: () => saves.shift() } as unknown as JsonStore);
  const failing = book.change(PEER, () => {
    book.trusted.set(PEER, ENTRY);
    book.revoked.set(PEER, { peerId: PEER, revokedAt: "", until: "" });
  });
  const kept = book.change(PEER, () => book.trusted.set(PEER, { ...ENTRY, mutual: true }));
  first.reject(new DaemonError("unavailable", "no disk"));
  await assert.rejects(failing, { code: "unavailable" });
  second.resolve();
  await kept;
  assert.equal(book.trusted.get(PEER)?.mutual, true);
  assert.equal(book.revoked.has(PEER), false);
});

Deno.test("sendOwnRequest() refuses the 1,025th request that waits for an answer", async () => {
  const book = new TrustBook(new JsonStore(""));
  const until = "2030-01-01T00:00:00.000Z";
  for (let n = 0; n < MAX_OUTGOING; n++) {
    book.outgoing.set(`peer${n}`, { peerId: `peer${n}`, nonce: "", sentAt: until, until });
  }
  let sent = 0;
  const send = () => Promise.resolve((sent++, "direct" as const));
  const ask = (peerId: string) =>
    sendOwnRequest({ book, clock: systemClock }, { peerId, nonce: "n" }, send);
  await assert.rejects(ask(PEER), { code: "resource_exhausted", message: /1024 requests wait/ });
  assert.equal(book.outgoing.has(PEER), false);
  assert.equal(sent, 0);
  await ask("peer7"); // asking the same peer again takes no further place
  assert.equal(sent, 1);
  book.outgoing.delete("peer8");
  await ask(PEER);
  assert.equal(sent, 2);
});

/** A relay without a network: gives what it answers to a peer. */
async function relayAt(path: string) {
  let serve: (connection: Connection) => unknown = () => undefined;
  const written: string[] = [];
  let question = "";
  let reads = 0;
  const daemon = {
    streams: () => ({
      handle: (protocol: string, handler: typeof serve) => {
        assert.equal(protocol, RELAY_PROTOCOL);
        serve = handler;
        return Promise.resolve(() => undefined);
      },
    }),
    newConnReadWriter: () => {
      let isRead = false;
      return {
        read: () => {
          reads++;
          const bytes = isRead ? null : new TextEncoder().encode(question);
          isRead = true;
          return Promise.resolve(bytes);
        },
        write: (bytes: Uint8Array) =>
          Promise.resolve(void written.push(new TextDecoder().decode(bytes))),
        closeWrite: () => Promise.resolve(),
        close: () => undefined,
        abort: () => undefined,
      };
    },
  } as unknown as Daemon;
  const strangers = new Set(["eve"]);
  const relay = new Relay({
    ...{ daemon, clock: systemClock, store: new JsonStore(path) },
    isTrusted: (peerId) => !strangers.has(peerId),
  });
  await relay.start();
  const askAs = async (remotePeer: string, request: unknown) => {
    question = JSON.stringify(request);
    await serve({ info: () => ({ remotePeer }) } as unknown as Connection);
    return JSON.parse(written.splice(0).join("") || "null");
  };
  return { relay, askAs, reads: () => reads };
}

Deno.test("Relay keeps 64 messages for a peer, gives them to it alone, and starts again with them", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "relay_inbox.json");
  const { relay, askAs } = await relayAt(path);
  const put = (from: string, to: string, message = "m") =>
    askAs(from, { put: { to, message } }) as Promise<{ ok?: boolean; error?: string }>;
  for (let n = 0; n < MAX_PER_TARGET; n++) assert.deepEqual(await put("ada", "bob"), { ok: true });
  assert.deepEqual(await put("ada", "bob"), { error: "full" });
  const { messages } = await askAs("bob", { poll: {} });
  assert.equal(messages.length, MAX_PER_TARGET);
  assert.deepEqual(await askAs("cas", { poll: {} }), { messages: [] });
  const ids = messages.map(({ id }: { id: string }) => id);
  await askAs("cas", { ack: { ids } }); // another's messages are not his to take
  assert.equal((await askAs("bob", { poll: {} })).messages.length, MAX_PER_TARGET);
  await askAs("bob", { ack: { ids } });
  assert.deepEqual(await askAs("bob", { poll: {} }), { messages: [] });
  await put("ada", "bob", "the last one");
  await relay.stop();
  const again = await relayAt(path);
  const [last] = (await again.askAs("bob", { poll: {} })).messages;
  assert.deepEqual([last.from, last.message], ["ada", "the last one"]);
  await again.relay.stop();
});

Deno.test("Relay keeps 2 MiB in all, and of one peer an eighth of it", async () => {
  const { askAs } = await relayAt("");
  const message = "x".repeat(16_384);
  const fill = async (from: string) => {
    for (let n = 0;; n++) {
      if (!(await askAs(from, { put: { to: `to${n}`, message } })).ok) return n;
    }
  };
  const kept: number[] = [];
  for (let n = 0; n < 10; n++) kept.push(await fill(`from${n}`));
  assert.deepEqual(kept, [16, 16, 16, 16, 16, 16, 16, 16, 0, 0]);
});

Deno.test("Relay answers strangers unread, and refuses what is no request", async () => {
  const { askAs, reads } = await relayAt("");
  assert.deepEqual(await askAs("eve", { poll: {} }), { error: "not trusted" });
  assert.equal(reads(), 0);
  assert.deepEqual(await askAs("ada", { put: { to: "eve", message: "m" } }), {
    error: "the target is not trusted here",
  });
  for (const bad of [null, 7, {}, { poll: {}, put: {} }, { put: { to: 1, message: "" } }]) {
    assert.deepEqual(await askAs("ada", bad), { error: "no relay request" });
  }
  const long = { put: { to: "bob", message: "x".repeat(16_385) } };
  assert.deepEqual(await askAs("ada", long), { error: "no relay request" });
});

testWithLibp2p("An oversized message on a real link is cut off, and others are heard", async () => {
  await using ada = await PluginNode.start();
  await using eve = await PluginNode.start({ builtin: [] });
  await using bob = await PluginNode.start();
  await eve.connect(ada);
  const connection = await eve.daemon.dialConnection(ada.peerId, 444);
  const link = eve.daemon.newConnReadWriter(connection);
  const chunk = new TextEncoder().encode("\u0007".repeat(16_384));
  let sent = 0;
  const sending = (async () => {
    for (; sent < 64; sent++) await link.write(chunk); // 1 MiB
    await link.closeWrite();
  })();
  await assert.rejects(Promise.all([sending, link.read()]));
  assert.ok(sent < 64, "all of it was taken");
  assert.equal(ada.trust.pendingCount(), 0);
  await befriend(bob, ada);
});

testWithLibp2p("Silent strangers at port 444 keep nobody else from asking", async () => {
  await using ada = await PluginNode.start();
  await using eve = await PluginNode.start({ builtin: [] });
  await using bob = await PluginNode.start();
  await befriend(bob, ada); // on the same host, but known
  await eve.connect(ada);
  let open = 0;
  for (let n = 0; n < 300; n++) {
    await eve.daemon.dialConnection(ada.peerId, 444).then(() => open++, () => undefined); // or cut
  }
  assert.ok(open >= 16, `${open} connections of the stranger`);
  const before = ada.topics("handshake.received").length;
  await bob.trust.sendRequest(ada.peerId, "once more");
  assert.equal(ada.topics("handshake.received").length, before + 1);
});

Deno.test("A folder that cannot be written says so, and nothing is trusted", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "gone", "trust.json");
  const book = new TrustBook(new JsonStore(path));
  await assert.rejects(book.change(PEER, () => book.trusted.set(PEER, ENTRY)), {
    code: "unavailable",
    message: /Cannot write .*trust\.json.*make it writable/,
  });
  assert.equal(book.trusted.size, 0);
  await chmod(folder.path, 0o700);
});
