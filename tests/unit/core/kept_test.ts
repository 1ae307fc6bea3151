import assert from "node:assert/strict";
import { kept } from "../../../src/core/mod.ts";

Deno.test("kept() makes a value once for each object", () => {
  let made = 0;
  const numberOf = kept((key: { n: number }) => key.n + made++);
  const [one, two] = [{ n: 10 }, { n: 20 }];
  assert.deepEqual([numberOf(one), numberOf(two), numberOf(one), numberOf(two)], [10, 21, 10, 21]);
});
