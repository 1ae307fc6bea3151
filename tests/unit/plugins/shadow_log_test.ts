import assert from "node:assert/strict";
import { MAX_SHADOW_VERDICTS, ShadowLog } from "../../../src/plugins/policy/shadow_log.ts";

const DENIED = {
  ...{ event: "connect" as const, port: 80, peerId: "a", rule: "no web" },
  reason: "the rule matches",
};

Deno.test("ShadowLog counts equal verdicts as one, newest first, and is bounded", () => {
  const log = new ShadowLog(7);
  log.note(DENIED, 1_000);
  log.note({ ...DENIED, port: 81 }, 2_000);
  log.note(DENIED, 3_000);
  assert.deepEqual(log.list().map(({ port, count, network }) => [port, count, network]), [
    [80, 2, 7],
    [81, 1, 7],
  ]);
  assert.equal(log.list()[0]?.time, new Date(3_000).toISOString());
  for (let n = 0; n < 10_000; n++) log.note({ ...DENIED, peerId: `peer ${n}` }, 4_000 + n);
  assert.equal(log.list().length, MAX_SHADOW_VERDICTS);
  assert.equal(log.list()[0]?.peerId, "peer 9999");
});
