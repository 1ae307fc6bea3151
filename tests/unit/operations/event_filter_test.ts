import assert from "node:assert/strict";
import type { BusEvent } from "../../../src/core/mod.ts";
import { type EventFilter, eventFilter } from "../../../src/operations/event_filter.ts";
import { EVENT_NAMES, spelledAs, spellEvent } from "../../../src/operations/event_names.ts";

function spelled(topic: string, payload: Record<string, unknown>) {
  return spellEvent({ topic, nodeId: "n", time: "", payload } as BusEvent);
}

const EVENTS = {
  log: spelledAs("LogMessage", { level: "warn", target: "network", message: "m" }),
  logOfLibrary: spelledAs("LogMessage", { level: "info", target: "api", library_id: "b" }),
  job: spelled("job.updated", { job_id: "1", library_id: "a", status: "Running" }),
  jobOfNone: spelled("job.updated", { job_id: "2", status: "Running" }),
  library: spelled("library.created", { id: "a", name: "n" }),
  location: spelled("location.added", { id: "l", library_id: "a", path: "/photos/2026" }),
  device: spelled("peer.connected", { peerId: "p" }),
  file: spelled("resource.changed", {
    resource_type: "file",
    resource: { library_id: "a", path: "/photos/2026/may/x.jpg" },
  }),
  custom: spelled("weather.changed", { library_id: "b", path: "/photos" }),
  started: spelled("core.started", { version: "1" }),
} as const;

type Name = keyof typeof EVENTS;

function passing(filter: EventFilter, types: string[] = []): Name[] {
  const matches = eventFilter(types, filter);
  return (Object.keys(EVENTS) as Name[]).filter((name) => matches(EVENTS[name]));
}

Deno.test("eventFilter() without types and fields, or with null, lets everything pass", () => {
  const all = Object.keys(EVENTS);
  assert.deepEqual(passing({}), all);
  assert.deepEqual(passing({ library_id: null, level: null, path_scope: null }), all);
});

Deno.test("eventFilter() keeps back what lacks a field its kind can carry, and nothing else", () => {
  assert.deepEqual(passing({ library_id: "a" }), [
    ...["log", "job", "library", "location", "device", "file", "started"] as const,
  ]);
  assert.deepEqual(passing({ library_id: "b" }), [
    "log",
    "logOfLibrary",
    "device",
    "custom",
    "started",
  ]);
  assert.deepEqual(passing({ job_id: "1" }, ["JobUpdate"]), ["job"]);
  assert.deepEqual(passing({ device_id: "q" }, ["DeviceConnected"]), []);
  assert.deepEqual(passing({ resource_type: "file" }, ["ResourceChanged"]), ["file"]);
});

Deno.test("eventFilter() means this level or worse, and part of the target", () => {
  assert.deepEqual(passing({ level: "WARN" }, ["LogMessage"]), ["log"]);
  assert.deepEqual(passing({ level: "debug", target: "ap" }, ["LogMessage"]), ["logOfLibrary"]);
  assert.throws(() => eventFilter([], { level: "loud" }), {
    code: "invalid_argument",
    message: /"loud".*trace.*error/,
  });
});

Deno.test("eventFilter() means the folder alone, unless descendants count", () => {
  const kinds = ["LocationAdded", "ResourceChanged", "Custom"];
  assert.deepEqual(passing({ path_scope: "/photos" }, kinds), ["location", "custom"]);
  assert.deepEqual(passing({ path_scope: "/photos/" }, kinds), ["location", "custom"]);
  assert.deepEqual(passing({ path_scope: "/photos", include_descendants: true }, kinds), [
    ...["location", "file", "custom"] as const,
  ]);
  assert.deepEqual(passing({ path_scope: "/phot", include_descendants: true }, kinds), []);
  assert.deepEqual(passing({ path_scope: "/", include_descendants: true }, kinds), [
    ...["location", "file", "custom"] as const,
  ]);
});

Deno.test("spellEvent() has the words of the contract, and Custom for any other topic", () => {
  assert.deepEqual(EVENTS.device.item, { DeviceConnected: { device_id: "p" } });
  assert.deepEqual(EVENTS.custom.item, {
    Custom: { event_type: "weather.changed", data: { library_id: "b", path: "/photos" } },
  });
  assert.deepEqual(
    spelled("trust.changed", { peerId: "p", granted: true }).name,
    "PairingCompleted",
  );
  assert.deepEqual(spelled("trust.changed", { peerId: "p", granted: false }).name, "Custom");
  assert.equal(new Set(EVENT_NAMES).size, EVENT_NAMES.length);
});

Deno.test("spellEvent() tells of a download as a job of the item, whatever its state", () => {
  const told = (topic: string, payload: Record<string, unknown>) =>
    spelled(`library.game-download-${topic}`, { id: "game", version: "2", ...payload });
  const job = { job_id: "download:game", library_id: "default" };
  const message = `Fetching "game", version 2`;
  const begin = told("begin", {});
  assert.deepEqual(begin.item, { JobUpdate: { ...job, status: "Running", progress: 0, message } });
  const progress = told("progress", { done_bytes: 3, total_bytes: 4, peers: 2 });
  assert.deepEqual(progress.item, {
    JobUpdate: { ...job, status: "Running", progress: 0.75, message },
  });
  assert.equal(told("progress", { done_bytes: 0, total_bytes: 0 }).body["progress"], 0);
  assert.deepEqual(told("finished", {}).item, {
    JobUpdate: { ...job, status: "Completed", progress: 1, message: `Fetched "game", version 2` },
  });
  const failed = (fields: Record<string, unknown>) =>
    told("failed", { reason: "no room", ...fields }).body;
  assert.deepEqual(failed({ code: "resource_exhausted" }), {
    ...{ ...job, status: "Failed", message: "no room" },
  });
  assert.equal(failed({ code: "cancelled" })["status"], "Cancelled");
  const queued = failed({ code: "aborted", goes_on: true });
  assert.equal(queued["status"], "Queued");
  assert.match(String(queued["message"]), /"game" waits .*: no room/);
  const passes = (filter: EventFilter, types = ["JobUpdate"]) =>
    eventFilter(types, filter)(progress);
  assert.equal(passes({ job_id: "download:game", library_id: "default" }), true);
  assert.equal(passes({ job_id: "download:other" }), false);
  assert.equal(passes({}, ["Custom"]), false);
});

Deno.test("eventFilter() refuses a kind it does not know, and names those it does", () => {
  assert.throws(
    () => eventFilter(["JobUpdates"], {}),
    (failure: Error) => EVENT_NAMES.every((name) => failure.message.includes(name)),
  );
});
