import assert from "node:assert/strict";
import { Metrics } from "../../../src/core/mod.ts";

Deno.test("Metrics shows finished calls by operation and outcome", async () => {
  const metrics = new Metrics();
  const operation = "query:core.ping.v1";
  metrics.onCall({ operation, outcome: "ok", durationMs: 2 });
  metrics.onCall({ operation, outcome: "ok", durationMs: 20 });
  metrics.onCall({ operation, outcome: "unavailable", durationMs: 1 });
  const text = await metrics.metrics();
  const calls = "almenad_operation_calls_total";
  assert.ok(text.includes(`${calls}{operation="${operation}",outcome="ok"} 2`), text);
  assert.ok(text.includes(`${calls}{operation="${operation}",outcome="unavailable"} 1`));
  assert.ok(text.includes(`_duration_seconds_bucket{le="0.005",operation="${operation}"} 2`), text);
});

Deno.test("Metrics.gauge() and counts() are read when somebody looks", async () => {
  const metrics = new Metrics();
  let peers = 1;
  metrics.gauge("test_peers", "Peers", () => peers);
  metrics.counts("test_dropped", "Dropped", () => ({ queue: peers * 2, rate: 0 }));
  peers = 5;
  const text = await metrics.metrics();
  assert.match(text, /^test_peers 5$/m);
  assert.match(text, /^test_dropped\{kind="queue"\} 10$/m);
  assert.match(text, /^test_dropped\{kind="rate"\} 0$/m);
});

Deno.test("Metrics.load() has the library told what came before, and what was added", async () => {
  const metrics = new Metrics();
  let added = 0;
  metrics.add(() => void added++);
  const call = { operation: "query:core.ping.v1", outcome: "ok", durationMs: 1 };
  metrics.onCall(call);
  assert.equal(added, 0);
  await Promise.all([metrics.load(), metrics.load()]);
  metrics.onCall(call);
  assert.equal(added, 1);
  assert.match(await metrics.metrics(), /^almenad_operation_calls_total\{.*\} 2$/m);
  assert.match(metrics.contentType, /^text\/plain/);
});

Deno.test("Metrics loads the library of its own accord when much waits for it", async () => {
  const metrics = new Metrics();
  const loaded = Promise.withResolvers<void>();
  metrics.add(() => loaded.resolve());
  const call = { operation: "query:core.ping.v1", outcome: "ok", durationMs: 1 };
  for (let number = 0; number < 1_000; number++) metrics.onCall(call);
  await loaded.promise;
  assert.match(await metrics.metrics(), /^almenad_operation_calls_total\{.*\} 1000$/m);
});
