import assert from "node:assert/strict";
import { builtInOperations } from "../../../src/built_in_operations.ts";
import { operations } from "../../../src/operations/mod.ts";

Deno.test("builtInOperations() describes each operation, without a daemon", () => {
  const described = builtInOperations();
  assert.equal(described.length, operations.length);
  const ping = described.find(({ method }) => method === "action:network.ping.input.v1");
  assert.deepEqual([ping?.kind, ping?.positional], ["action", ["peer_id"]]);
  assert.match(JSON.stringify(ping?.input), /"peer_id":\{"type":"string"/);
});
