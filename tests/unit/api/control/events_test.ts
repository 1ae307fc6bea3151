import assert from "node:assert/strict";
import type { LogEntry } from "../../../../src/system/mod.ts";
import { type ControlFixture, openControl } from "../../../support/control_fixture.ts";
import { FakeClock } from "../../../support/fake_clock.ts";
import { waitFor } from "../../../support/wait.ts";

type EventLine = { Event: Record<string, Record<string, unknown>> };

function changed(control: ControlFixture, field: string): void {
  control.bus.publish("config.changed", { field });
}

function fieldOf({ Event: event }: EventLine): unknown {
  return event["ConfigChanged"]?.["field"];
}

Deno.test("Subscribe replays the last 5 s once, then goes on without gap or duplicate", async () => {
  const clock = new FakeClock();
  await using control = await openControl({ clock });
  changed(control, "too old");
  await clock.advance(4_500);
  for (let number = 0; number < 10; number++) changed(control, `${number}`);
  await clock.advance(1_000);
  const client = await control.connect();
  // Published at every moment around the subscription.
  let next = 10;
  const publisher = setInterval(() => changed(control, `${next++}`), 1);
  assert.equal(await client.ask({ Subscribe: { event_types: ["ConfigChanged"] } }), "Subscribed");
  const lines = await client.until<EventLine>((line) => Number(fieldOf(line)) >= 60);
  clearInterval(publisher);
  assert.deepEqual(lines.map(fieldOf), Array.from({ length: lines.length }, (_, n) => `${n}`));
});

Deno.test("Subscribe replays at most 100 events, the newest", async () => {
  await using control = await openControl();
  for (let number = 0; number < 150; number++) changed(control, `${number}`);
  const client = await control.connect();
  assert.equal(await client.ask({ Subscribe: { event_types: [] } }), "Subscribed");
  const lines = await client.until<EventLine>((line) => fieldOf(line) === "149");
  assert.deepEqual(lines.map(fieldOf), Array.from({ length: 100 }, (_, n) => `${n + 50}`));
});

Deno.test("Subscribe filters by type, and refuses a type it does not know with those it does", async () => {
  await using control = await openControl();
  const client = await control.connect();
  const { Error: error } = await client.ask<{ Error: Record<string, string> }>({
    Subscribe: { event_types: ["JobUpdate", "Nope"] },
  });
  assert.match(error["ValidationError"] ?? "", /"Nope".*JobUpdate.*LibraryCreated/);
  assert.equal(await client.ask({ Subscribe: { event_types: ["LibraryCreated"] } }), "Subscribed");
  changed(control, "x");
  control.bus.publish("library.created", { id: "1", name: "a" });
  assert.deepEqual(await client.next(), { Event: { LibraryCreated: { id: "1", name: "a" } } });
});

Deno.test("Subscribe shows one job's subscriber nothing of another job", async () => {
  await using control = await openControl();
  const client = await control.connect();
  const filter = { job_id: "a", library_id: null };
  assert.equal(await client.ask({ Subscribe: { event_types: [], filter } }), "Subscribed");
  control.bus.publish("job.updated", { job_id: "b", status: "Running" });
  control.bus.publish("job.updated", { job_id: "a", status: "Running", progress: 0.5 });
  assert.deepEqual(await client.next(), {
    Event: { JobUpdate: { job_id: "a", status: "Running", progress: 0.5 } },
  });
});

Deno.test("Unsubscribe answers after the last event, and closes", async () => {
  await using control = await openControl();
  const client = await control.connect();
  assert.equal(await client.ask({ Subscribe: {} }), "Subscribed");
  assert.equal(await client.ask("Ping"), "Pong", "requests are answered between events");
  changed(control, "last");
  client.send("Unsubscribe");
  assert.equal(fieldOf(await client.next<EventLine>()), "last");
  assert.equal(await client.next(), "Unsubscribed");
  await client.closed;
  assert.deepEqual(control.subscriptions.list(), []);
});

Deno.test("A second Subscribe on one connection is refused, the first goes on", async () => {
  await using control = await openControl();
  const client = await control.connect();
  assert.equal(await client.ask({ Subscribe: {} }), "Subscribed");
  assert.match(JSON.stringify(await client.ask({ Subscribe: {} })), /InvalidRequest/);
  changed(control, "x");
  assert.equal(fieldOf(await client.next<EventLine>()), "x");
});

Deno.test("SubscribeLogs sends lines by level and target", async () => {
  await using control = await openControl();
  const entry = (level: LogEntry["level"], target: string): LogEntry => ({
    timestamp: "2026-01-01T00:00:00.000Z",
    level,
    target,
    message: `${level} of ${target}`,
  });
  control.hub.add(entry("warn", "network"));
  const client = await control.connect();
  const filter = { level: "WARN", target: "net" };
  assert.equal(await client.ask({ SubscribeLogs: { filter } }), "LogsSubscribed");
  assert.deepEqual(await client.next(), { LogMessage: entry("warn", "network") });
  for (const level of ["debug", "info", "error"] as const) {
    for (const target of ["api", "network"]) control.hub.add(entry(level, target));
  }
  assert.deepEqual(await client.next(), { LogMessage: entry("error", "network") });
  client.send("UnsubscribeLogs");
  assert.equal(await client.next(), "LogsUnsubscribed");
  await client.closed;
});

Deno.test("A slow reader loses its own newest events alone, and is told how many", async () => {
  await using control = await openControl();
  const [slow, fast] = [await control.connect(), await control.connect()];
  for (const client of [slow, fast]) {
    assert.equal(await client.ask({ Subscribe: { event_types: ["ConfigChanged"] } }), "Subscribed");
  }
  slow.pause();
  const text = "x".repeat(1_000);
  const total = 6_000;
  for (let number = 0; number < total; number++) {
    changed(control, `${number}:${text}`);
    if (number % 100 < 99) continue;
    await waitFor("the fast reader", () => fast.lines.length > number); // as fast as we publish
  }
  const dropped = control.subscriptions.dropped;
  assert.ok(dropped > 0 && dropped < total);
  slow.resume();
  const seen = await slow.until<EventLine>((line) => "Lagged" in line.Event);
  const events = seen.slice(0, -1).map((line) => Number(String(fieldOf(line)).split(":")[0]));
  assert.deepEqual(events, Array.from({ length: total - dropped }, (_, number) => number));
  assert.deepEqual(seen.at(-1), { Event: { Lagged: { dropped } } });
  changed(control, "after");
  assert.equal(fieldOf(await slow.next<EventLine>()), "after");
});

Deno.test("A subscriber that left is forgotten with the next event for it", async () => {
  await using control = await openControl();
  const client = await control.connect();
  assert.equal(await client.ask({ Subscribe: {} }), "Subscribed");
  client[Symbol.dispose]();
  await waitFor("no subscription", () => {
    changed(control, "anything"); // a client that closed looks like one that only reads until then
    return control.subscriptions.list().length === 0;
  });
  await waitFor("no connection", () => control.server.counts.open === 0);
});

Deno.test("Subscribe ends when its reader has left, though nothing happens", async () => {
  await using control = await openControl();
  for (
    const request of [
      { Subscribe: { event_types: ["CoreStarted"] } },
      { Stream: { method: "stream:events.v1", payload: { event_types: ["CoreStarted"] } } },
    ]
  ) {
    const client = await control.connect();
    await client.ask<unknown>(request);
    assert.equal(control.subscriptions.list().length, 1);
    client[Symbol.dispose]();
    await waitFor("the end", () => control.subscriptions.list().length === 0);
  }
});

Deno.test("Subscribe goes on for a reader that sends nothing more", async () => {
  await using control = await openControl();
  const client = await control.connect();
  assert.equal(await client.ask({ Subscribe: { event_types: ["ConfigChanged"] } }), "Subscribed");
  client.end();
  assert.equal(await client.nextLine(), "", "a look whether it is there");
  changed(control, "x");
  assert.equal(fieldOf(await client.next<EventLine>()), "x");
});
