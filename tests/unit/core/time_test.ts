import assert from "node:assert/strict";
import fc from "fast-check";
import { backoffMs, pause, withDeadline } from "../../../src/core/mod.ts";

Deno.test("withDeadline() passes an outcome in time through", async () => {
  assert.equal(await withDeadline(Promise.resolve(7), 1_000, "count"), 7);
  const failure = new TypeError("no");
  await assert.rejects(withDeadline(Promise.reject(failure), 1_000, "count"), failure);
});

Deno.test("withDeadline() says what took too long", async () => {
  await assert.rejects(withDeadline(new Promise(() => {}), 5, "open the door"), {
    code: "deadline_exceeded",
    message: "Cannot open the door within 5 ms",
  });
});

Deno.test("withDeadline() keeps a late failure from ending the process", async () => {
  const { promise, reject } = Promise.withResolvers<never>();
  await assert.rejects(withDeadline(promise, 1, "wait"), { code: "deadline_exceeded" });
  reject(new TypeError("late"));
  await pause(1);
});

Deno.test("pause() ends early when its signal aborts, before or meanwhile", async () => {
  await pause(60_000, AbortSignal.abort());
  const controller = new AbortController();
  const waiting = pause(60_000, controller.signal);
  controller.abort();
  await waiting;
  await pause(1, new AbortController().signal);
});

Deno.test("backoffMs() doubles up to its limit", () => {
  const init = { firstMs: 1_000, maxMs: 60_000, jitter: 0 };
  const waits = [1, 2, 3, 4, 5, 6, 7, 8, 2_000].map((failures) => backoffMs(failures, 0.3, init));
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1_000));
  assert.equal(backoffMs(0, 0.3, init), 1_000);
});

Deno.test("backoffMs() spreads by jitter and no further", () => {
  const init = { firstMs: 1_000, maxMs: 10_000, jitter: 0.2 };
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (failures, unit) => {
        const plain = Math.min(10_000, 1_000 * 2 ** (failures - 1));
        const wait = backoffMs(failures, unit, init);
        assert.ok(
          wait >= plain * 0.8 - 1 && wait <= plain * 1.2 + 1,
          `${failures}, ${unit}: ${wait}`,
        );
      },
    ),
  );
  assert.equal(backoffMs(1, 0, init), 800);
  assert.equal(backoffMs(1, 0.999_999, init), 1_200);
});
