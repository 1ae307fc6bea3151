/** Unary calls between programs of two peers, ours and the Go daemon's. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { peerIdFromString } from "@libp2p/peer-id";
import { isPrepared } from "../support/foreign_peers.ts";
import { GO_P2PD } from "../support/go_p2pd.ts";
import { type Need, testNeeding } from "../support/needs.ts";
import { Persistent } from "../support/p2pd_persistent.ts";
import { P2pd } from "../support/p2pd_process.ts";
import { PeerstoreRequest, Request, Response } from "../../src/p2pd/wire/messages.ts";
import { waitFor } from "../support/wait.ts";

const goP2pd: Need = { name: "Go p2pd", isMet: isPrepared(GO_P2PD) };
const bytes = (text: string) => new TextEncoder().encode(text);
const idOf = (p2pd: P2pd) => peerIdFromString(p2pd.peerId).toMultihash().bytes;

for (const kind of ["go", "almenad"] as const) {
  testNeeding(
    kind === "go" ? [goP2pd] : [],
    `p2pd unary calls with ${kind}, both ways`,
    async () => {
      await using ours = await P2pd.start("almenad");
      await using theirs = await P2pd.start(kind);
      await ours.join(theirs);
      const open: Persistent[] = []; // the Go daemon ends with the last of them
      for (const [from, to] of [[ours, theirs], [theirs, ours]] as const) {
        const server = await Persistent.open(to);
        const proto = `/unary/${from === ours ? 1 : 2}`;
        server.onCall = ({ callId, requestHandling }) => {
          if (!requestHandling) return;
          assert.deepEqual(Buffer.from(requestHandling.peer), Buffer.from(idOf(from)));
          const said = new TextDecoder().decode(requestHandling.data);
          const unaryResponse = said === "fail"
            ? { error: bytes("no") }
            : { response: bytes(`got ${said.length}`) };
          void server.send({ callId, unaryResponse });
        };
        const added = await server.ask({ addUnaryHandler: { proto, balanced: false } });
        assert.deepEqual(Object.keys(added), ["callId"]);
        const again = await server.ask({ addUnaryHandler: { proto, balanced: false } });
        assert.match(again.daemonError?.message ?? "", /already set/);
        const caller = await Persistent.open(from);
        const call = (data: Uint8Array) =>
          caller.ask({ callUnary: { peer: idOf(to), proto, data } });
        const answers = await Promise.all([
          call(bytes("x")),
          call(new Uint8Array(300_000).fill(120)),
        ]);
        assert.deepEqual(
          answers.map((answer) => new TextDecoder().decode(answer.callUnaryResponse?.response)),
          ["got 1", "got 300000"],
        );
        const failed = await call(bytes("fail"));
        assert.equal(new TextDecoder().decode(failed.callUnaryResponse?.error), "no");
        const unknown = await caller.ask({
          callUnary: { peer: idOf(to), proto: "/unknown", data: bytes("x") },
        });
        assert.ok(unknown.daemonError?.message);
        const removed = await server.ask({ removeUnaryHandler: { proto } });
        assert.deepEqual(Object.keys(removed), ["callId"]);
        open.push(server, caller);
      }
      for (const connection of open) connection.close();
    },
  );
}

Deno.test("p2pd tells the handler of a cancelled call, and frees handlers of a lost client", async () => {
  await using a = await P2pd.start("almenad");
  await using b = await P2pd.start("almenad");
  await a.join(b);
  const server = await Persistent.open(b);
  const seen: string[] = [];
  server.onCall = ({ requestHandling, cancel }) => {
    seen.push(requestHandling ? "call" : cancel ? "cancel" : "other");
  };
  await server.ask({ addUnaryHandler: { proto: "/slow", balanced: false } });
  const caller = await Persistent.open(a);
  const callId = randomBytes(16);
  const callUnary = { peer: idOf(b), proto: "/slow", data: bytes("x") };
  const answer = caller.ask({ callUnary }, callId);
  await waitFor("the call", () => seen.length > 0);
  await caller.send({ callId, cancel: {} });
  assert.ok((await answer).cancel);
  await waitFor("its cancellation", () => seen.join() === "call,cancel");
  server.close();
  const next = await Persistent.open(b);
  await waitFor(
    "the protocol to be free",
    async () => !(await next.ask({ addUnaryHandler: { proto: "/slow" } })).daemonError,
  );
  next.close();
  caller.close();
});

Deno.test("p2pd answers both meanings of request type 9", async () => {
  await using a = await P2pd.start("almenad");
  await using b = await P2pd.start("almenad");
  await a.join(b);
  const encoded = PeerstoreRequest.encode({ type: 1, id: idOf(b) });
  const frames = await a.raw(Request.encode({ type: 9, body9: encoded.subarray(1) }));
  assert.notEqual(frames, "closed");
  const { peerStore } = Response.decode(frames[0] as Uint8Array);
  assert.ok(peerStore?.protos?.includes("/ipfs/id/1.0.0"), String(peerStore?.protos));
  (await Persistent.open(a)).close();
});

Deno.test("p2pd -idleTimeout ends when nobody holds a persistent connection", async () => {
  await using p2pd = await P2pd.start("almenad", { flags: ["-idleTimeout=3s"] });
  const client = await Persistent.open(p2pd);
  Deno.kill(p2pd.process.pid, "SIGINT"); // the parent's Ctrl-C is not ours
  assert.equal(await p2pd.client.identify(), p2pd.peerId);
  client.close();
  assert.equal((await p2pd.process.ended()).code, 0);
});
