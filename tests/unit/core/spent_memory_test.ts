import assert from "node:assert/strict";
import { spend, spendLast } from "../../../src/core/mod.ts";

Deno.test("spend() frees a buffer of its own, and none with neighbours", () => {
  const whole = new Uint8Array(8_192);
  spend(whole);
  assert.equal(whole.buffer.detached, true);
  const part = new Uint8Array(8_192).subarray(0, 8_000);
  spend(part);
  assert.equal(part.buffer.detached, false);
  const small = new Uint8Array(16);
  spend(small);
  assert.equal(small.buffer.detached, false);
});

Deno.test("spendLast() frees a buffer with its last piece", () => {
  const buffer = new Uint8Array(16_384);
  spendLast(buffer.subarray(0, 8_192));
  assert.equal(buffer.buffer.detached, false);
  spendLast(buffer.subarray(8_192));
  assert.equal(buffer.buffer.detached, true);
});
