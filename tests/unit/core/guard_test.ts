import assert from "node:assert/strict";
import { guard, pause } from "../../../src/core/mod.ts";

Deno.test("guard() runs the work at once", () => {
  let runs = 0;
  guard("count", () => runs++);
  assert.equal(runs, 1);
});

Deno.test("guard() keeps a throw and a rejection to itself", async () => {
  guard("throw", () => {
    throw new TypeError("thrown");
  });
  guard("reject", () => Promise.reject(new TypeError("rejected")));
  await pause(1); // an unhandled rejection would fail this test
});
