/// <reference lib="dom" />
import assert from "node:assert/strict";
import { Resource } from "../../../src/page/state/resource.ts";
import { type CallError, Calls } from "../../../src/page/wire/calls.ts";
import { readEvents } from "../../../src/page/wire/sse.ts";
import { waitFor } from "../../support/wait.ts";

function bodyOf(...parts: readonly string[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(parts.map((part) => new TextEncoder().encode(part)));
}

Deno.test("readEvents() reads events however they are cut, and takes heartbeats as life", async () => {
  let pieces = 0;
  const body = bodyOf(
    ": open\n\n",
    'data: {"a":',
    "1}\n\nevent: end\nda",
    "ta: {}\n\n",
    ": hb\n\n",
  );
  const events = await Array.fromAsync(readEvents(body, () => pieces++));
  assert.deepEqual(events, [{ event: "message", data: '{"a":1}' }, { event: "end", data: "{}" }]);
  assert.equal(pieces, 5);
});

Deno.test("Calls shows the session's word or the token, and tells failures in words", async () => {
  const asked: { path: string; headers: Record<string, string>; method: string }[] = [];
  let answer = () => Promise.resolve(Response.json({ message: "pong" }));
  const calls = new Calls({
    fetch: (path, { headers, method = "GET" }) => {
      asked.push({ path, method, headers: headers as Record<string, string> });
      return answer();
    },
  });
  assert.deepEqual(await calls.query("core.ping", {}), { message: "pong" });
  await calls.query("network.peers", { connected: true });
  calls.credential = { kind: "session", csrf: "word" };
  await calls.act("trust.approve", { peer: "a" });
  calls.credential = { kind: "token", token: "t" };
  await calls.act("trust.approve", { peer: "a" });
  assert.deepEqual(asked.map(({ method, path }) => `${method} ${path}`), [
    "GET /api/v1/core/ping",
    "GET /api/v1/network/peers?connected=true",
    "POST /api/v1/trust/approve",
    "POST /api/v1/trust/approve",
  ]);
  assert.equal(asked[2]?.headers["x-almenad-csrf"], "word");
  assert.equal(asked[3]?.headers["authorization"], "Bearer t");
  answer = () =>
    Promise.resolve(Response.json({ error: "not_found", message: "No" }, { status: 404 }));
  await assert.rejects(calls.query("core.ping", {}), { code: "not_found", message: "No" });
  answer = () => Promise.reject(new TypeError("refused"));
  await assert.rejects(calls.query("core.ping", {}), (failure: CallError) => {
    return failure.code === "offline" && /does not answer/.test(failure.message);
  });
});

Deno.test("Resource asks while somebody watches, ever more seldom while nothing changes", async () => {
  let [asked, value] = [0, 1];
  const load = () => Promise.resolve({ value, asked: asked++ });
  const essence = ({ value }: { value: number }) => value;
  const init = { load, essence, intervalMs: 5, restMs: 60_000, isAwake: () => true };
  const resource = new Resource(init);
  let drawn = 0;
  resource.store.follow(() => drawn++);
  assert.equal(asked, 0, "nobody watches");
  const stop = resource.watch();
  await waitFor("some questions", () => asked >= 4);
  assert.equal(drawn, 1, "an answer like the last one draws nothing");
  value = 2;
  const before = asked;
  resource.refresh();
  await waitFor("the other value", () => resource.store.value.data?.value === 2);
  assert.ok(asked > before);
  stop();
  const last = asked;
  resource.refresh();
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(asked, last, "nobody watches any longer");
});
