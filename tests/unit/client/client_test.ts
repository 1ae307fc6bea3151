import assert from "node:assert/strict";
import { Client, connect, ControlError, NotRunningError } from "../../../src/client/mod.ts";
import { MAX_IN_FLIGHT } from "../../../src/client/pool.ts";
import { DaemonError, withDeadline } from "../../../src/core/mod.ts";
import { openControl } from "../../support/control_fixture.ts";

// The operations of the fixture are unknown to the compiler.
const echo = (client: Client, payload: Record<string, unknown>, timeoutMs = 10_000) =>
  client.callByName("query:test.echo.v1", payload, { timeoutMs });

Deno.test("connect() sees that the daemon answers", async () => {
  await using control = await openControl();
  await using client = await connect({ socket: control.place.regular });
  assert.ok(await client.ping() >= 0);
  assert.equal(client.connections, 1);
});

Deno.test("Client follows the .path file of a socket whose regular path is too long", async () => {
  await using control = await openControl({ socket: `${"long/".repeat(20)}daemon.sock` });
  assert.notEqual(control.place.socket, control.place.regular);
  await using client = await connect({ socket: control.place.regular });
  assert.deepEqual(await echo(client, { a: 1 }), { a: 1 });
});

Deno.test("Client shows its token where the socket is loopback TCP, as on Windows", async () => {
  await using control = await openControl({ usesTcp: true });
  await using client = await connect({ socket: control.place.regular, usesTcp: true });
  assert.deepEqual(await echo(client, { a: 1 }), { a: 1 });
});

Deno.test("Client gives each of many calls its own answer over few connections", async () => {
  await using control = await openControl();
  await using client = new Client({ socket: control.place.regular, maxConnections: 2 });
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, number) => echo(client, { number })),
  );
  assert.deepEqual(answers, Array.from({ length: 300 }, (_, number) => ({ number })));
  assert.equal(client.connections, 2);
  assert.equal(control.server.counts.open, 2);
});

Deno.test("Client gives a slow call a connection of its own while there is one", async () => {
  await using control = await openControl();
  await using client = new Client({ socket: control.place.regular, maxConnections: 2 });
  const slow = client.callByName("query:test.slow.v1", { ms: 2_000 });
  slow.catch(() => undefined);
  const begun = performance.now();
  await echo(client, {});
  assert.ok(performance.now() - begun < 1_500);
  client.close();
  await assert.rejects(slow, DaemonError);
});

Deno.test("Client serves a call that waits behind calls which gave up waiting", async () => {
  await using control = await openControl();
  await using client = new Client({ socket: control.place.regular, maxConnections: 1 });
  await client.ping();
  const busy = Array.from(
    { length: MAX_IN_FLIGHT },
    (_, number) => client.callByName("query:test.slow.v1", { ms: number === 0 ? 300 : 0 }),
  );
  const leaving = new AbortController();
  const gaveUp = Array.from(
    { length: MAX_IN_FLIGHT + 1 },
    () => client.callByName("query:test.echo.v1", {}, { signal: leaving.signal }),
  );
  const patient = echo(client, { a: 1 });
  leaving.abort();
  const outcomes = await Promise.allSettled(gaveUp);
  assert.ok(outcomes.every(({ status }) => status === "rejected"));
  await Promise.all(busy);
  assert.deepEqual(await withDeadline(patient, 5_000, "be served"), { a: 1 });
});

Deno.test("Client.callByName() tells the daemon's classes of error apart", async () => {
  await using control = await openControl();
  await using client = new Client({ socket: control.place.regular });
  const failing = [
    ["query:test.fail.v1", { code: "not_found" }, "OperationFailed", "failed_precondition"],
    ["query:test.fail.v1", { code: "unavailable" }, "CoreUnavailable", "unavailable"],
    ["query:test.fail.v1", { code: "permission_denied" }, "SecurityError", "permission_denied"],
    ["query:test.fail.v1", { code: "invalid_argument" }, "ValidationError", "invalid_argument"],
    ["query:test.slow.v1", { ms: "x" }, "DeserializationError", "invalid_argument"],
    ["query:test.none.v1", {}, "HandlerNotFound", "unimplemented"],
    ["query:test.unsayable.v1", {}, "SerializationError", "unknown"],
    ["action:test.count.input.v1", {}, "ValidationError", "invalid_argument"],
  ] as const;
  for (const [method, payload, errorClass, code] of failing) {
    await assert.rejects(client.callByName(method, payload), (failure: unknown) => {
      assert.ok(failure instanceof ControlError, method);
      assert.deepEqual([failure.errorClass, failure.code], [errorClass, code], method);
      return true;
    });
  }
  assert.deepEqual(await echo(client, { still: "works" }), { still: "works" });
});

Deno.test("Client.callByName() makes a request id, and passes on a given one", async () => {
  await using control = await openControl();
  await using client = new Client({ socket: control.place.regular });
  const count = (requestId?: string) =>
    client.callByName("action:test.count.input.v1", {}, {
      libraryId: "music",
      ...(requestId === undefined ? {} : { requestId }),
    }) as Promise<{ library_id: string; request_id: string }>;
  assert.match((await count()).request_id, /^[0-9a-f-]{36}$/);
  assert.deepEqual(await count("mine"), { library_id: "music", request_id: "mine" });
});

Deno.test("Client.callByName() gives up at its deadline, and the next call is served", async () => {
  await using control = await openControl();
  await using client = new Client({ socket: control.place.regular, maxConnections: 1 });
  const late = client.callByName("query:test.slow.v1", { ms: 60_000 }, { timeoutMs: 50 });
  await assert.rejects(late, { code: "deadline_exceeded" });
  assert.deepEqual(await echo(client, { a: 1 }), { a: 1 });
});

Deno.test("Client.callByName() ends with its signal", async () => {
  await using control = await openControl();
  await using client = new Client({ socket: control.place.regular });
  const end = new AbortController();
  const { signal } = end;
  setTimeout(() => end.abort(), 30);
  const call = client.callByName("query:test.slow.v1", { ms: 60_000 }, { signal });
  await assert.rejects(call, { code: "cancelled" });
});

Deno.test("Client.batch() gives each request its own answer", async () => {
  await using control = await openControl();
  await using client = new Client({ socket: control.place.regular });
  const [bad, unknown] = await client.batch([
    { method: "query:events.types.v1" }, // the fixture has no such operation
    { method: "query:core.version.v1" },
  ]);
  assert.ok(!bad.ok && bad.error instanceof ControlError);
  assert.equal(unknown.ok, false);
});

Deno.test("Client.streamByName() gives every item, then ends", async () => {
  await using control = await openControl();
  await using client = new Client({ socket: control.place.regular });
  const items = await Array.fromAsync(client.streamByName("stream:test.numbers.v1", { to: 1_000 }));
  assert.deepEqual(items, Array.from({ length: 1_000 }, (_, at) => at + 1));
});

Deno.test("Client.streamByName() passes on the failure behind the items", async () => {
  await using control = await openControl();
  await using client = new Client({ socket: control.place.regular });
  const items: unknown[] = [];
  const read = async () => {
    const payload = { to: 2, then: "fail" };
    for await (const item of client.streamByName("stream:test.numbers.v1", payload)) {
      items.push(item);
    }
  };
  await assert.rejects(read(), ControlError);
  assert.deepEqual(items, [1, 2]);
});

Deno.test("Client.subscribe() gives events until the signal, and leaves nothing behind", async () => {
  await using control = await openControl();
  await using client = new Client({ socket: control.place.regular });
  const end = new AbortController();
  const ids: string[] = [];
  control.bus.publish("peer.connected", { peerId: "first" }); // replayed
  for await (const event of client.subscribe({ types: ["DeviceConnected"], signal: end.signal })) {
    if ("DeviceConnected" in event) ids.push(event.DeviceConnected.device_id);
    if (ids.length === 1) control.bus.publish("peer.connected", { peerId: "second" });
    if (ids.length === 2) end.abort();
  }
  assert.deepEqual(ids, ["first", "second"]);
  while (control.server.counts.open > 0) await new Promise((resolve) => setTimeout(resolve, 5));
});

Deno.test("Client.subscribe() refuses what the daemon does not know", async () => {
  await using control = await openControl();
  await using client = new Client({ socket: control.place.regular });
  const events = client.subscribe({ types: ["Nonsense" as "CoreStarted"] });
  await assert.rejects(Array.fromAsync(events), { errorClass: "ValidationError" });
});

Deno.test("Client.logs() gives log lines of the wanted level", async () => {
  await using control = await openControl();
  await using client = new Client({ socket: control.place.regular });
  const line = (level: "info" | "warn", message: string) =>
    control.hub.add({ timestamp: new Date().toISOString(), level, target: "core", message });
  line("info", "quiet");
  line("warn", "loud");
  for await (const item of client.logs({ filter: { level: "warn" } })) {
    assert.ok("LogMessage" in item);
    assert.equal(item.LogMessage.message, "loud");
    break;
  }
});

Deno.test("Client.subscribe() fails when the daemon goes away", async () => {
  await using control = await openControl();
  await using client = new Client({ socket: control.place.regular });
  const events = client.subscribe()[Symbol.asyncIterator]();
  const next = events.next();
  while (control.subscriptions.list().length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all([control.server.stop(), assert.rejects(next, ControlError)]);
});

Deno.test("Client.close() refuses further calls", async () => {
  await using control = await openControl();
  const client = await connect({ socket: control.place.regular });
  client.close();
  await assert.rejects(client.ping(), { code: "failed_precondition" });
});

Deno.test("connect() says that nobody is there, and how to change that", async () => {
  await using control = await openControl({ start: false });
  const failure = await connect({ socket: control.place.regular }).catch((error) => error);
  assert.ok(failure instanceof NotRunningError && failure instanceof DaemonError);
  assert.match(failure.message, /daemon not running.*almenad start/);
});
