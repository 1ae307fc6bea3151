import assert from "node:assert/strict";
import { Throughput } from "../../../src/network/throughput.ts";

const NOON = Date.UTC(2026, 5, 1, 12);

Deno.test("Throughput.series() keeps 5 minutes by the second, an hour and a day more coarsely", () => {
  const throughput = new Throughput();
  for (let second = 0; second < 90_000; second++) throughput.add(NOON + second * 1_000, 2, 1);
  const now = NOON + 89_999_000;
  const lengths = (["5m", "1h", "24h"] as const).map((range) => {
    const { stepMs, points } = throughput.series(range, now);
    assert.equal(points.at(-1)?.timeMs, Math.floor(now / stepMs) * stepMs);
    assert.ok(
      points.slice(1, -1).every(({ inBytes, outBytes }) =>
        inBytes === 2 * stepMs / 1_000 && outBytes === stepMs / 1_000
      ),
    );
    return [stepMs, points.length];
  });
  assert.deepEqual(lengths, [[1_000, 300], [10_000, 360], [300_000, 288]]);
});

Deno.test("Throughput.series() leaves out what nobody counted, and forgets what is too old", () => {
  const throughput = new Throughput();
  throughput.add(NOON, 5, 5);
  throughput.add(NOON + 10_000, 7, 0);
  throughput.add(NOON + 10_400, 1, 0);
  const { points } = throughput.series("5m", NOON + 10_500);
  assert.deepEqual(points, [
    { timeMs: NOON, inBytes: 5, outBytes: 5 },
    { timeMs: NOON + 10_000, inBytes: 8, outBytes: 0 },
  ]);
  assert.deepEqual(throughput.series("5m", NOON + 400_000).points, []);
  assert.equal(throughput.series("1h", NOON + 400_000).points.length, 2);
});

Deno.test("Throughput takes a clock that is set back or was never right", () => {
  const throughput = new Throughput();
  throughput.add(NOON, 5, 5);
  throughput.add(0, 1, 1);
  throughput.add(-5_000, 1, 1);
  assert.deepEqual(throughput.series("5m", 0).points.map(({ inBytes }) => inBytes), [1, 1]);
});
