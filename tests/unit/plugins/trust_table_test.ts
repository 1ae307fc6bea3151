/** Every row of contract 4.4, message by message, with a clock that tests move. */
import assert from "node:assert/strict";
import { generateKeyPair } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemRandom } from "../../../src/core/mod.ts";
import { nodeNumber } from "../../../src/plugins/mod.ts";
import { JsonStore } from "../../../src/plugins/json_store.ts";
import type { Daemon } from "../../../src/plugins/plugin.ts";
import { SigningKey } from "../../../src/plugins/signing.ts";
import { Handshake } from "../../../src/plugins/trust/handshake.ts";
import {
  type HandshakeMessage,
  type MessageContent,
  parseMessage,
  signMessage,
} from "../../../src/plugins/trust/messages.ts";
import { ReadingPlaces } from "../../../src/plugins/trust/reading_places.ts";
import { Relay } from "../../../src/plugins/trust/relay.ts";
import { MAX_SEEN, SeenMessages } from "../../../src/plugins/trust/seen_messages.ts";
import { TrustBook } from "../../../src/plugins/trust/trust_book.ts";
import { FakeClock, settle } from "../../support/fake_clock.ts";
import { tempFolder } from "../../support/temp_folder.ts";

/** Somebody who signs by hand. */
async function person() {
  const key = await generateKeyPair("Ed25519");
  const peerId = peerIdFromPrivateKey(key).toString();
  const signing = new SigningKey({ peerId, raw: key.raw });
  const daemon = {
    peerId: () => peerId,
    nodeId: () => nodeNumber(peerId),
    identity: () => ({ peerId, publicKey: signing.publicKey! }),
    sign: (message: Uint8Array) => signing.sign(message),
    verify: (...args: Parameters<SigningKey["verify"]>) => signing.verify(...args),
  };
  return { peerId, daemon };
}

type Person = Awaited<ReturnType<typeof person>>;

/** A handshake whose messages go into a list. */
async function subject(init: { path?: string; auto?: boolean; allow?: string[] } = {}) {
  const me = await person();
  const clock = new FakeClock();
  const sent: { to: string; message: HandshakeMessage }[] = [];
  const topics: string[] = [];
  const removed: string[] = [];
  const book = new TrustBook(new JsonStore(init.path ?? ""));
  await book.load();
  const daemon = {
    ...me.daemon,
    trustAutoApprove: () => init.auto ?? false,
    getTrustChecker: () => ({
      isTrusted: (peer: string) => ({ name: "friend", ok: init.allow?.includes(peer) ?? false }),
    }),
    networks: () => ({
      list: () => [],
      isMember: () => false,
      prove: () => null,
      checkProof: () => false,
    }),
    peers: () => [],
    publishEvent: (topic: string) => void topics.push(topic),
    tunnels: () => ({
      removePeer: (peer: string) => Promise.resolve(void removed.push(peer)),
      welcomePeer: () => undefined,
    }),
    dialConnection: (to: string) => Promise.resolve(to),
    newConnReadWriter: (to: string) => ({
      write: (bytes: Uint8Array) => {
        sent.push({ to, message: parseMessage(bytes) });
        return Promise.resolve();
      },
      closeWrite: () => Promise.resolve(),
      read: () => Promise.resolve(isRead(sent) ? null : new TextEncoder().encode("ok")),
      close: () => undefined,
    }),
  } as unknown as Daemon;
  const relay = new Relay({ daemon, clock, store: new JsonStore(""), isTrusted: () => false });
  const handshake = new Handshake({
    ...{ daemon, book, relay, clock, random: systemRandom },
    resolve: (peer) => String(peer),
  });
  let reads = 0;
  const isRead = (_: unknown) => reads++ % 2 === 1;
  const message = (from: Person, content: MessageContent, at = clock.now()) =>
    signMessage(from.daemon, me.peerId, content, at, systemRandom.bytes(16));
  const receive = async (from: Person, content: MessageContent, source = "10.0.0.1") => {
    const made = message(from, content);
    await handshake.receive(made, from.peerId, source);
    for (let n = 0; n < 5; n++) await settle();
    return made;
  };
  const types = () => sent.splice(0).map(({ message: { type } }) => type.slice(10));
  return {
    ...{ me, clock, book, handshake, message, receive, types, sent, removed },
    topics: () => topics.splice(0),
  };
}

const REQUEST = { type: "handshake_request", justification: "please" } as const;

Deno.test("none: a request waits, or is approved by allow-list or flag with the reason", async () => {
  const ada = await person();
  const asked = await subject();
  await asked.receive(ada, REQUEST);
  assert.equal(asked.handshake.stateOf(ada.peerId), "pending");
  assert.deepEqual(asked.topics(), ["handshake.received", "handshake.pending"]);
  assert.deepEqual(asked.types(), []);
  for (const init of [{ auto: true }, { allow: [ada.peerId] }]) {
    const open = await subject(init);
    await open.receive(ada, REQUEST);
    assert.equal(open.handshake.stateOf(ada.peerId), "trusted");
    assert.deepEqual(open.topics(), [
      "handshake.received",
      "handshake.auto_approved",
      "trust.changed",
    ]);
    assert.deepEqual(open.types(), ["accept"]);
  }
});

Deno.test("none: an accept, reject or revoke never asked for changes nothing", async () => {
  const ada = await person();
  const it = await subject();
  await it.receive(ada, { type: "handshake_accept", inReplyTo: "A".repeat(22) + "==" });
  await it.receive(ada, { type: "handshake_reject", inReplyTo: "A".repeat(22) + "==" });
  await it.receive(ada, { type: "handshake_revoke" });
  assert.equal(it.handshake.stateOf(ada.peerId), "none");
  assert.deepEqual(it.topics(), []);
  assert.deepEqual(it.types(), []);
  await it.receive(ada, { type: "handshake_accept" }); // it believes to be trusted still
  assert.deepEqual(it.types(), ["revoke"]);
  assert.equal(it.handshake.stateOf(ada.peerId), "none");
});

Deno.test("outgoing: a request or the answering accept is mutual trust; a reject ends it", async () => {
  const ada = await person();
  const ask = async () => {
    const it = await subject();
    await it.handshake.sendRequest(ada.peerId, "me");
    assert.equal(it.handshake.stateOf(ada.peerId), "outgoing");
    const { message } = it.sent.splice(0)[0]!;
    return { it, nonce: message.nonce };
  };
  const crossed = await ask();
  await crossed.it.receive(ada, REQUEST);
  assert.equal(crossed.it.handshake.trustedPeers()[0]!.mutual, true);
  const accepted = await ask();
  await accepted.it.receive(ada, { type: "handshake_accept", inReplyTo: "B".repeat(22) + "==" });
  assert.equal(accepted.it.handshake.stateOf(ada.peerId), "outgoing");
  await accepted.it.receive(ada, { type: "handshake_accept", inReplyTo: accepted.nonce });
  assert.equal(accepted.it.handshake.trustedPeers()[0]!.mutual, true);
  assert.deepEqual(accepted.it.topics(), ["trust.changed"]);
  const rejected = await ask();
  await rejected.it.receive(ada, { type: "handshake_reject", inReplyTo: rejected.nonce });
  assert.equal(rejected.it.handshake.stateOf(ada.peerId), "none");
  const forgotten = await ask();
  await forgotten.it.clock.advance(10 * 60_000 + 1);
  forgotten.it.handshake.reap();
  assert.equal(forgotten.it.handshake.stateOf(ada.peerId), "none");
});

Deno.test("pending: approve, reject, 30 days, revoke by the peer, an own request", async () => {
  const ada = await person();
  const pending = async () => {
    const it = await subject();
    const request = await it.receive(ada, REQUEST);
    it.topics();
    return { it, request };
  };
  const approved = await pending();
  await approved.it.handshake.approveHandshake(ada.peerId);
  await settle();
  assert.deepEqual(approved.it.topics(), ["handshake.approved", "trust.changed"]);
  const { message } = approved.it.sent[0]!;
  assert.equal(message.in_reply_to, approved.request.nonce);
  await approved.it.handshake.approveHandshake("nobody"); // no error
  const rejected = await pending();
  await rejected.it.handshake.rejectHandshake(ada.peerId, "no\u0007");
  assert.equal(rejected.it.handshake.stateOf(ada.peerId), "none");
  assert.deepEqual(rejected.it.topics(), ["handshake.rejected"]);
  const old = await pending();
  await old.it.clock.advance(30 * 86_400_000);
  old.it.handshake.reap();
  assert.equal(old.it.handshake.pendingCount(), 0);
  const withdrawn = await pending();
  await withdrawn.it.receive(ada, { type: "handshake_revoke" });
  assert.equal(withdrawn.it.handshake.stateOf(ada.peerId), "none");
  assert.deepEqual(withdrawn.it.topics(), ["trust.revoked_by_peer", "trust.changed"]);
  const both = await pending();
  await both.it.handshake.sendRequest(ada.peerId, "");
  assert.equal(both.it.handshake.stateOf(ada.peerId), "trusted");
});

Deno.test("pending: put aside for hours or for good, kept over a start, and still to be approved", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "trust.json");
  const it = await subject({ path });
  const [ada, bob] = [await person(), await person()];
  await it.receive(ada, REQUEST);
  await it.receive(bob, REQUEST, "10.0.0.2");
  it.topics();
  it.types();
  await it.handshake.putAside(ada.peerId, 3_600_000);
  await it.handshake.putAside(bob.peerId);
  await assert.rejects(it.handshake.putAside("nobody", 1_000), { code: "not_found" });
  assert.deepEqual(it.topics(), ["handshake.put_aside", "handshake.put_aside"]);
  assert.deepEqual(it.types(), []); // the peers learn nothing of it
  await it.receive(bob, REQUEST, "10.0.0.2"); // asking again does not bring it back
  assert.ok(!it.topics().includes("handshake.pending"));
  const until = new Date(it.clock.now() + 3_600_000).toISOString();
  for (const { handshake } of [it, await subject({ path })]) {
    const aside = handshake.pendingRequests().map(({ peerId, isIgnored, laterUntil }) => [
      ...[peerId, isIgnored, laterUntil],
    ]);
    assert.deepEqual(aside, [[ada.peerId, false, until], [bob.peerId, true, ""]]);
  }
  await it.handshake.approveHandshake(bob.peerId);
  assert.equal(it.handshake.isTrusted(bob.peerId), true);
});

Deno.test("trusted: a request is answered again; revoke cools down; the peer may revoke", async () => {
  const ada = await person();
  const it = await subject({ auto: true });
  await it.receive(ada, REQUEST);
  it.types();
  it.topics();
  await it.receive(ada, REQUEST);
  assert.deepEqual(it.types(), ["accept"]);
  assert.deepEqual(it.topics(), ["handshake.received"]);
  await it.handshake.revokeTrust(ada.peerId);
  assert.equal(it.handshake.stateOf(ada.peerId), "revoked");
  assert.deepEqual(it.topics(), ["trust.revoked", "trust.changed"]);
  assert.deepEqual(it.types(), ["revoke"]);
  assert.deepEqual(it.removed, [ada.peerId]);
  await it.receive(ada, { type: "handshake_accept", inReplyTo: "A".repeat(22) + "==" });
  await it.handshake.processRelayedApproval(ada.peerId);
  assert.equal(it.handshake.stateOf(ada.peerId), "revoked");
  await it.receive(ada, REQUEST); // auto-approval must not undo what a person decided
  assert.equal(it.handshake.stateOf(ada.peerId), "pending");
  await it.handshake.sendRequest(ada.peerId, "");
  assert.equal(it.handshake.stateOf(ada.peerId), "trusted");
  await it.receive(ada, { type: "handshake_revoke" });
  assert.equal(it.handshake.stateOf(ada.peerId), "none");
  const cooled = await subject({ auto: true });
  await cooled.receive(ada, REQUEST);
  await cooled.handshake.revokeTrust(ada.peerId);
  await cooled.handshake.sendRequest(ada.peerId, "");
  assert.equal(cooled.handshake.stateOf(ada.peerId), "outgoing");
  await cooled.clock.advance(5 * 60_000 + 1);
  cooled.handshake.reap();
  assert.deepEqual(cooled.handshake.revokedPeers(), []);
});

Deno.test("Handshake.waitForTrust() is true for self, at the transition, and false at the deadline", async () => {
  const ada = await person();
  const it = await subject({ auto: true });
  assert.equal(await it.handshake.waitForTrust(it.me.peerId, 0), true);
  const begun = performance.now();
  assert.equal(await it.handshake.waitForTrust(ada.peerId, 100), false);
  assert.ok(Math.abs(performance.now() - begun - 100) < 50);
  const waiting = it.handshake.waitForTrust(ada.peerId, 5_000);
  await it.receive(ada, REQUEST);
  assert.equal(await waiting, true);
  const endless = it.handshake.waitForTrust("somebody", 60_000);
  await it.handshake.stop();
  assert.equal(await endless, false);
});

Deno.test("Handshake.receive() refuses what is forged, replayed, old, early or another's", async () => {
  const [ada, eve] = [await person(), await person()];
  const it = await subject();
  const good = it.message(ada, REQUEST);
  const table: [string, HandshakeMessage, string][] = [
    ["another peer's message", good, eve.peerId],
    ["text changed", { ...good, justification: "x" }, ada.peerId],
    ["type changed", { ...good, type: "handshake_accept" }, ada.peerId],
    ["time changed", { ...good, timestamp: good.timestamp + 1 }, ada.peerId],
    ["no key", { ...good, public_key: "" }, ada.peerId],
    ["another's key", { ...good, public_key: it.message(eve, REQUEST).public_key }, ada.peerId],
    ["no signature", { ...good, signature: "" }, ada.peerId],
    ["short signature", { ...good, signature: "AAAA" }, ada.peerId],
    ["reply added", { ...good, in_reply_to: "A".repeat(22) + "==" }, ada.peerId],
    ["too old", it.message(ada, REQUEST, it.clock.now() - 5 * 60_000 - 2_000), ada.peerId],
    ["from the future", it.message(ada, REQUEST, it.clock.now() + 32_000), ada.peerId],
    [
      "for somebody else",
      signMessage(ada.daemon, eve.peerId, REQUEST, it.clock.now(), systemRandom.bytes(16)),
      ada.peerId,
    ],
  ];
  for (const [what, message, from] of table) {
    const fresh = { ...message };
    await assert.rejects(it.handshake.receive(fresh, from, "s"), { name: "DaemonError" }, what);
  }
  assert.equal(it.handshake.pendingCount(), 0);
  assert.deepEqual(it.topics(), []);
  const again = it.message(ada, REQUEST);
  await it.handshake.receive(again, ada.peerId, "s");
  await assert.rejects(it.handshake.receive(again, ada.peerId, "s"), { code: "already_exists" });
  // A reflection: our own message sent back to us.
  await it.handshake.sendRequest(eve.peerId, "");
  const own = it.sent.at(-1)!.message;
  await assert.rejects(it.handshake.receive(own, eve.peerId, "s"), { code: "unauthenticated" });
});

Deno.test("parseMessage() refuses every other shape, and texts without end", () => {
  const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const inputs = [
    new Uint8Array(),
    new Uint8Array(65_537),
    new Uint8Array([0xff, 0xfe]),
    encode(null),
    encode([]),
    encode({ type: "handshake_request" }),
    encode({ ...BASE, type: "handshake_grant" }),
    encode({ ...BASE, nonce: "short" }),
    encode({ ...BASE, timestamp: -1 }),
    encode({ ...BASE, timestamp: 1e400 }),
    encode({ ...BASE, justification: 7 }),
    encode({ ...BASE, justification: "\u0007".repeat(1_048_576) }),
  ];
  for (const input of inputs) {
    assert.throws(() => parseMessage(input), { code: "invalid_argument" });
  }
  assert.equal(parseMessage(encode(BASE)).type, "handshake_request");
});

const BASE = {
  type: "handshake_request",
  node_id: 1,
  public_key: "",
  justification: "",
  signature: "",
  reason: "",
  nonce: "A".repeat(22) + "==",
  timestamp: 1,
};

Deno.test("10,000 requests of 100 identities: 16 a host wait, and others still get in", async () => {
  const it = await subject();
  const crowd = await Promise.all(Array.from({ length: 100 }, () => person()));
  let refused = 0;
  for (let round = 0; round < 100; round++) {
    for (const one of crowd) await it.receive(one, REQUEST, "10.0.0.66").catch(() => refused++);
  }
  assert.equal(it.handshake.pendingCount(), 16);
  assert.ok(refused >= 8_000);
  const ada = await person();
  await it.receive(ada, REQUEST, "10.0.0.7");
  assert.equal(it.handshake.stateOf(ada.peerId), "pending");
  for (let host = 0; host < 40; host++) {
    for (let n = 0; n < 16; n++) {
      await it.receive(await person(), REQUEST, `10.1.0.${host}`).catch(() => undefined);
    }
  }
  assert.equal(it.handshake.pendingCount(), 256);
});

Deno.test("SeenMessages holds 8,192, refuses when full, and forgets after 10 minutes", () => {
  const seen = new SeenMessages();
  const known = { isKnown: true };
  const strangers = MAX_SEEN - 1_024;
  for (let n = 0; n < strangers; n++) seen.add(`h${n}`, `p${n % 200}`, 0);
  assert.throws(() => seen.add("new", "p", 1), { code: "resource_exhausted" });
  // Identities cost nothing, so strangers cannot keep those from being heard who are trusted.
  for (let n = strangers; n < MAX_SEEN; n++) seen.add(`h${n}`, `p${n % 200}`, 0, known);
  assert.throws(() => seen.add("new", "p", 1, known), { code: "resource_exhausted" });
  seen.add("new", "p", 10 * 60_000);
  assert.equal(seen.size, 1);
  for (let n = 0; n < 64; n++) seen.add(`x${n}`, "one", 10 * 60_000);
  assert.throws(() => seen.add("x64", "one", 10 * 60_000), { code: "resource_exhausted" });
});

Deno.test("ReadingPlaces has 16 for a host of strangers, and keeps some for known peers", () => {
  const places = new ReadingPlaces();
  const take = (host: string, peerId = "eve", isKnown = false) =>
    places.take({ host, peerId, isKnown });
  const taken = Array.from({ length: 20 }, (_, n) => take("10.0.0.1", `eve${n}`));
  assert.equal(taken.filter(Boolean).length, 16);
  assert.ok(take("10.0.0.1", "ada", true), "a known peer on the same host");
  taken[0]!();
  assert.ok(take("10.0.0.1"));
  assert.equal(take("10.0.0.1"), undefined);
  for (let host = 0; host < 20; host++) {
    for (let n = 0; n < 16; n++) take(`10.1.0.${host}`);
  }
  assert.equal(take("10.2.0.1"), undefined, "strangers have had their share");
  assert.ok(take("10.2.0.1", "bob", true));
});

Deno.test("TrustBook passes over bad entries, and refuses a file that is none", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "trust.json");
  const ada = await person();
  const entry = { peerId: ada.peerId, approvedAt: "2026-01-01T00:00:00.000Z" };
  await writeFile(path, JSON.stringify({ trusted: [entry, { peerId: "x" }, 7], pending: "no" }));
  const book = new TrustBook(new JsonStore(path));
  await book.load();
  assert.deepEqual([...book.trusted.keys()], [ada.peerId]);
  for (const text of ["", "{", "[]", "{}", "null"]) {
    await writeFile(path, text);
    const damaged = new TrustBook(new JsonStore(path));
    await assert.rejects(damaged.load(), { code: "data_loss", message: /trust\.json/ }, text);
  }
});

Deno.test("A change that cannot be written is no change", async () => {
  const ada = await person();
  const it = await subject({ path: "/nonexistent-folder/trust.json" });
  await assert.rejects(it.receive(ada, REQUEST), { code: "unavailable" });
  assert.equal(it.handshake.stateOf(ada.peerId), "none");
});
