import assert from "node:assert/strict";
import { openControl } from "../../../support/control_fixture.ts";

const echo = (payload: unknown) => ({ Query: { method: "query:test.echo.v1", payload } });
const failing = (code: string) => ({ Query: { method: "query:test.fail.v1", payload: { code } } });

Deno.test("ControlServer answers Ping typed by hand, with and without a newline at the end", async () => {
  await using control = await openControl();
  const client = await control.connect();
  client.write('"Ping"\n');
  assert.equal(await client.nextLine(), '"Pong"');
  client.write('"Ping"');
  client.end();
  assert.equal(await client.nextLine(), '"Pong"');
  await client.closed; // answered and half-closed, so the server closes
});

Deno.test("ControlServer answers queries and actions with JsonOk", async () => {
  await using control = await openControl();
  const client = await control.connect();
  assert.deepEqual(await client.ask(echo({ a: [1, { b: "ü" }] })), {
    JsonOk: { a: [1, { b: "ü" }] },
  });
  const method = "action:test.count.input.v1";
  assert.deepEqual(
    await client.ask({ Action: { method, library_id: "lib", payload: {}, request_id: "r1" } }),
    { JsonOk: { library_id: "lib", request_id: "r1" } },
  );
  assert.deepEqual(await client.ask({ Query: { method: "query:test.nothing.v1" } }), {
    JsonOk: null,
  });
});

Deno.test("ControlServer answers in the order of the requests, however long each takes", async () => {
  await using control = await openControl();
  const client = await control.connect();
  const slow = { Query: { method: "query:test.slow.v1", payload: { ms: 50 } } };
  client.write([slow, "Ping", echo({ n: 1 })].map((one) => `${JSON.stringify(one)}\n`).join(""));
  assert.deepEqual(await client.next(), { JsonOk: { waited: true } });
  assert.equal(await client.next(), "Pong");
  assert.deepEqual(await client.next(), { JsonOk: { n: 1 } });
});

Deno.test("ControlServer takes a request cut anywhere", async () => {
  await using control = await openControl();
  const client = await control.connect();
  for (const byte of new TextEncoder().encode(`${JSON.stringify(echo({ text: "żółw" }))}\n`)) {
    client.write(new Uint8Array([byte]));
  }
  assert.deepEqual(await client.next(), { JsonOk: { text: "żółw" } });
});

Deno.test("ControlServer names the class of each error, and goes on", async () => {
  await using control = await openControl();
  const client = await control.connect();
  const call = (kind: string, method: string, rest: object = {}) => ({
    [kind]: { method, payload: {}, ...rest },
  });
  const table: [request: string | object, errorClass: string, text: RegExp][] = [
    ["{", "DeserializationError", /not JSON/],
    ['"Pin', "DeserializationError", /not JSON/],
    ["", "DeserializationError", /not JSON/],
    ['"Pong"', "InvalidRequest", /"Pong" is not one of Ping, Action, /],
    ["17", "InvalidRequest", /neither a name nor an object/],
    ["[]", "InvalidRequest", /neither a name nor an object/],
    ["null", "InvalidRequest", /neither a name nor an object/],
    ["{}", "InvalidRequest", /one field/],
    [{ Query: {}, Action: {} }, "InvalidRequest", /one field/],
    [{ Query: { payload: {} } }, "InvalidRequest", /needs a method/],
    [{ Query: { method: 3 } }, "InvalidRequest", /needs a method/],
    [{ Query: { method: "a", colour: 1 } }, "InvalidRequest", /no field "colour"/],
    [{ Query: { method: "a", library_id: 1 } }, "InvalidRequest", /library_id is not text/],
    [{ Batch: {} }, "InvalidRequest", /list/],
    [{ Auth: "x" }, "InvalidRequest", /nobody asked/],
    [{ Query: { method: "a", request_id: "x".repeat(65) } }, "ValidationError", /64/],
    [{ Batch: Array(101).fill("Ping") }, "ValidationError", /at most 100/],
    [call("Action", "action:test.count.input.v1"), "ValidationError", /library_id is missing/],
    [call("Query", "query:test.echo"), "HandlerNotFound", /^query:test\.echo$/],
    [call("Action", "query:test.echo.v1"), "HandlerNotFound", /^query:test\.echo\.v1$/],
    [call("Query", "stream:test.numbers.v1"), "HandlerNotFound", /numbers/],
    [call("Stream", "query:test.echo.v1"), "HandlerNotFound", /echo/],
    [call("Query", "query:test.slow.v1", { payload: { ms: "1" } }), "DeserializationError", /ms/],
    [call("Query", "query:test.slow.v1", { payload: 7 }), "DeserializationError", /object/],
    [call("Query", "query:test.unsayable.v1"), "SerializationError", /no JSON form/],
    [failing("invalid_argument"), "ValidationError", /a test said so/],
    [failing("not_found"), "OperationFailed", /a test said so/],
    [failing("permission_denied"), "SecurityError", /a test said so/],
    [failing("unauthenticated"), "SecurityError", /a test said so/],
    [failing("unavailable"), "CoreUnavailable", /a test said so/],
    [failing("internal"), "InternalError", /a test said so/],
    [failing("uncaught"), "InternalError", /.+/],
  ];
  for (const [request, errorClass, text] of table) {
    client.write(`${typeof request === "string" ? request : JSON.stringify(request)}\n`);
    const { Error: error } = await client.next<{ Error: Record<string, string> }>();
    assert.deepEqual(Object.keys(error ?? {}), [errorClass], JSON.stringify(request));
    assert.match(error?.[errorClass] ?? "", text);
    assert.doesNotMatch(JSON.stringify(error), /\bat .*:\d+:\d+/, "no stack trace");
  }
  client.write(new Uint8Array([0x22, 0xff, 0xfe, 0x22, 0x0a]));
  assert.match(await client.nextLine(), /^\{"Error":\{"DeserializationError":".*UTF-8"\}\}$/);
  assert.equal(await client.ask("Ping"), "Pong");
});

Deno.test("ControlServer answers a batch in order, each request with its own error", async () => {
  await using control = await openControl();
  const client = await control.connect();
  const batch = ["Ping", echo({ n: 1 }), failing("not_found"), "Nope", { Subscribe: {} }, echo({})];
  const { Batch: answers } = await client.ask<{ Batch: unknown[] }>({ Batch: batch });
  assert.deepEqual(answers.slice(0, 2), ["Pong", { JsonOk: { n: 1 } }]);
  const classes = answers.slice(2, 5).map((one) =>
    Object.keys((one as { Error: object }).Error)[0]
  );
  assert.deepEqual(classes, ["OperationFailed", "InvalidRequest", "InvalidRequest"]);
  assert.deepEqual(answers[5], { JsonOk: {} });
  const full = await client.ask<{ Batch: unknown[] }>({ Batch: Array(100).fill("Ping") });
  assert.deepEqual(full.Batch, Array(100).fill("Pong"));
});

Deno.test("ControlServer sends the items of a stream, then End or what went wrong", async () => {
  await using control = await openControl();
  const client = await control.connect();
  const ask = (payload: object) =>
    client.send({ Stream: { method: "stream:test.numbers.v1", payload } });
  ask({ to: 2 });
  const whole = await client.until((line: unknown) => line === "End");
  assert.deepEqual(whole, [{ JsonOk: null }, { Item: 1 }, { Item: 2 }, "End"]);
  ask({ to: 1, then: "fail" });
  const failed = await client.until((line) => "Error" in Object(line));
  assert.deepEqual(failed.at(-1), {
    Error: { OperationFailed: "Cannot count on: a test said so" },
  });
  ask({ to: 1, then: "wait" });
  assert.deepEqual(await client.until((line) => "Item" in Object(line)), [{ JsonOk: null }, {
    Item: 1,
  }]);
  client.send("Unsubscribe");
  assert.equal(await client.next(), "End");
  assert.equal(await client.next(), "Unsubscribed");
  await client.closed;
});

Deno.test("ControlServer hands Shutdown on, after it has answered", async () => {
  await using control = await openControl();
  const client = await control.connect();
  assert.deepEqual(await client.ask("Shutdown"), { Ok: [] });
  assert.equal(control.asked.shutDowns, 1);
});

Deno.test("ControlServer answers what is under way when it stops, and nothing after", async () => {
  await using control = await openControl();
  const client = await control.connect();
  assert.equal(await client.ask("Ping"), "Pong");
  client.send({ Query: { method: "query:test.slow.v1", payload: { ms: 100 } } });
  client.send("Ping");
  const stopped = new Promise((resolve) => setTimeout(resolve, 30)).then(() =>
    control.server.stop()
  );
  assert.deepEqual(await client.next(), { JsonOk: { waited: true } });
  const { Error: error } = await client.next<{ Error: Record<string, string> }>();
  assert.match(error["CoreUnavailable"] ?? "", /stopping/);
  await stopped;
  await client.closed;
});
