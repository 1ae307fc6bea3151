import assert from "node:assert/strict";
import { once } from "../../../src/core/once.ts";

Deno.test("once() makes its value at the first call and keeps it, undefined too", () => {
  let made = 0;
  const value = once(() => void made++);
  assert.equal(made, 0);
  assert.equal(value(), undefined);
  assert.equal(value(), undefined);
  assert.equal(made, 1);
});
