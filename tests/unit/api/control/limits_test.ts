import assert from "node:assert/strict";
import { MAX_LINE_BYTES } from "../../../../src/core/mod.ts";
import { openControl } from "../../../support/control_fixture.ts";
import { FakeClock } from "../../../support/fake_clock.ts";
import { waitFor } from "../../../support/wait.ts";

Deno.test("ControlServer takes a line of 1 MiB, and answers a longer one with RequestTooLarge", async () => {
  await using control = await openControl();
  const client = await control.connect();
  const frame = '{"Query":{"method":"query:test.echo.v1","payload":{"t":""}}}';
  const text = "x".repeat(MAX_LINE_BYTES - frame.length);
  client.write(`${frame.replace('""', `"${text}"`)}\n`);
  assert.deepEqual(await client.next(), { JsonOk: { t: text } });
  client.write(`${frame.replace('""', `"${text}y"`)}\n"Ping"\n`);
  const { Error: error } = await client.next<{ Error: object }>();
  assert.deepEqual(Object.keys(error), ["RequestTooLarge"]);
  await client.closed;
  assert.deepEqual(client.lines, [], "what follows a line too long is not served");
});

Deno.test("ControlServer ends an endless line after 1 MiB, without keeping it", async () => {
  await using control = await openControl();
  const client = await control.connect();
  const chunk = new Uint8Array(65_536).fill(0x20);
  for (let sent = 0; sent < 4 * MAX_LINE_BYTES && !client.isClosed; sent += chunk.length) {
    client.write(chunk);
  }
  assert.match(await client.nextLine(), /RequestTooLarge/);
  await client.closed;
});

Deno.test("ControlServer closes the 101st connection, serves the 100, and has room again", async () => {
  await using control = await openControl();
  const clients = await Promise.all(Array.from({ length: 100 }, () => control.connect()));
  await Promise.all(clients.map(async (client) => assert.equal(await client.ask("Ping"), "Pong")));
  const surplus = await control.connect();
  await surplus.closed;
  assert.deepEqual(surplus.lines, []);
  assert.equal(control.server.counts.refused, 1);
  await Promise.all(clients.map(async (client) => assert.equal(await client.ask("Ping"), "Pong")));
  clients[0]![Symbol.dispose]();
  await waitFor("a place", () => control.server.counts.open === 99);
  assert.equal(await (await control.connect()).ask("Ping"), "Pong");
});

Deno.test("ControlServer lets a subscriber that left make room", async () => {
  await using control = await openControl({ maxConnections: 1 });
  const gone = await control.connect();
  assert.equal(await gone.ask({ Subscribe: { event_types: ["CoreStarted"] } }), "Subscribed");
  gone.end();
  await waitFor("the half-close", async () => {
    const client = await control.connect();
    return await client.ask<unknown>("Ping").catch(() => undefined) === "Pong";
  });
});

Deno.test("ControlServer answers 65 and 1,000 requests that wait behind a slow one", async () => {
  await using control = await openControl();
  for (const count of [65, 1_000]) {
    const client = await control.connect();
    client.send({ Query: { method: "query:test.slow.v1", payload: { ms: 100 } } });
    client.write('"Ping"\n'.repeat(count));
    assert.deepEqual(await client.next(), { JsonOk: { waited: true } });
    for (let index = 0; index < count; index++) assert.equal(await client.next(), "Pong");
  }
});

Deno.test("ControlServer reads no further while 64 requests wait, so the sender is held back", async () => {
  await using control = await openControl();
  const client = await control.connect();
  client.send({ Query: { method: "query:test.slow.v1", payload: { ms: 400 } } });
  const line = `${JSON.stringify("x".repeat(500_000))}\n`;
  const count = 20;
  for (let index = 0; index < count; index++) client.write(line);
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.deepEqual(client.lines, [], "nothing is answered out of turn");
  assert.deepEqual(await client.next(), { JsonOk: { waited: true } });
  for (let index = 0; index < count; index++) {
    assert.match(await client.nextLine(), /InvalidRequest/);
  }
});

Deno.test("ControlServer sends a silent client away after 5 minutes, but no subscriber", async () => {
  const clock = new FakeClock();
  await using control = await openControl({ clock });
  const silent = await control.connect();
  const subscriber = await control.connect();
  assert.equal(await silent.ask("Ping"), "Pong");
  assert.equal(await subscriber.ask({ Subscribe: {} }), "Subscribed");
  await clock.advance(290_000);
  assert.equal(silent.isClosed, false);
  await clock.advance(20_000);
  await silent.closed;
  await clock.advance(600_000);
  control.bus.publish("core.stopping", {});
  assert.deepEqual(await subscriber.next(), { Event: { CoreShutdown: {} } });
});

Deno.test("ControlServer lets go of a client that left without its answer", async () => {
  await using control = await openControl();
  const client = await control.connect();
  client.send({ Query: { method: "query:test.slow.v1", payload: { ms: 50 } } });
  client[Symbol.dispose]();
  await waitFor("the end of the connection", () => control.server.counts.open === 0, 5_000);
});
