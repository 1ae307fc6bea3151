import assert from "node:assert/strict";
import { Daemon, DaemonError, type Service } from "../../../src/core/mod.ts";

/** Services that write down what happens to them. */
function recorder() {
  const diary: string[] = [];
  const service = (name: string, work: Partial<Service> = {}): Service => ({
    name,
    start: async () => {
      diary.push(`start ${name}`);
      await work.start?.();
    },
    stop: async () => {
      diary.push(`stop ${name}`);
      await work.stop?.();
    },
  });
  return { diary, service };
}

Deno.test("Daemon.start() starts in order, stop() stops in reverse", async () => {
  const { diary, service } = recorder();
  const daemon = new Daemon([service("a"), service("b"), service("c")]);
  await daemon.start();
  assert.deepEqual(diary.splice(0), ["start a", "start b", "start c"]);
  await daemon.stop();
  assert.deepEqual(diary, ["stop c", "stop b", "stop a"]);
});

Deno.test("Daemon.start() waits for one service before the next", async () => {
  const { diary, service } = recorder();
  const { promise, resolve } = Promise.withResolvers<void>();
  const daemon = new Daemon([service("slow", { start: () => promise }), service("next")]);
  const started = daemon.start();
  await Promise.resolve();
  assert.deepEqual(diary, ["start slow"]);
  resolve();
  await started;
  assert.deepEqual(diary, ["start slow", "start next"]);
  await daemon.stop();
});

Deno.test("Daemon.start() unwinds what ran when a service fails, and tells its failure", async () => {
  const { diary, service } = recorder();
  const failure = new DaemonError("unavailable", "no port");
  const daemon = new Daemon([
    service("a"),
    service("b"),
    service("bad", { start: () => Promise.reject(failure) }),
    service("never"),
  ]);
  await assert.rejects(daemon.start(), failure);
  assert.deepEqual(diary, ["start a", "start b", "start bad", "stop b", "stop a"]);
});

Deno.test("Daemon.start() tells the first failure even when unwinding fails too", async () => {
  const { service } = recorder();
  const failure = new DaemonError("unavailable", "no port");
  const daemon = new Daemon([
    service("a", { stop: () => Promise.reject(new DaemonError("internal", "stuck")) }),
    service("bad", { start: () => Promise.reject(failure) }),
  ]);
  await assert.rejects(daemon.start(), failure);
});

Deno.test("Daemon.stop() ends one teardown however often it is called", async () => {
  const { diary, service } = recorder();
  const daemon = new Daemon([service("a"), service("b")]);
  await daemon.start();
  await Promise.all([daemon.stop(), daemon.stop(), daemon.stop()]);
  await daemon.stop();
  assert.deepEqual(diary, ["start a", "start b", "stop b", "stop a"]);
});

Deno.test("Daemon.stop() before start() does nothing, and start() works afterwards", async () => {
  const { diary, service } = recorder();
  const daemon = new Daemon([service("a")]);
  await daemon.stop();
  await daemon.start();
  await daemon.stop();
  assert.deepEqual(diary, ["start a", "stop a"]);
});

Deno.test("Daemon.start() can be called again after stop()", async () => {
  const { diary, service } = recorder();
  const daemon = new Daemon([service("a")]);
  for (const _ of [1, 2]) {
    await daemon.start();
    await daemon.stop();
  }
  assert.deepEqual(diary, ["start a", "stop a", "start a", "stop a"]);
});

Deno.test("Daemon.stop() passes over a service that hangs, and names every one that failed", async () => {
  const { diary, service } = recorder();
  const daemon = new Daemon([
    service("first"),
    service("hung", { stop: () => new Promise(() => {}) }),
    service("broken", { stop: () => Promise.reject(new DaemonError("internal", "stuck")) }),
    service("last"),
  ], { stopTimeoutMs: 30 });
  await daemon.start();
  await assert.rejects(daemon.stop(), (failure: DaemonError) => {
    assert.equal(failure.code, "internal");
    assert.match(failure.message, /broken \(stuck\); hung \(.*within 30 ms\)/);
    return true;
  });
  assert.deepEqual(diary.slice(4), ["stop last", "stop broken", "stop hung", "stop first"]);
});
