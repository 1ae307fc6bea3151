import assert from "node:assert/strict";
import * as z from "zod";
import { query } from "../../../src/core/mod.ts";

Deno.test("query() makes a schema when it is first asked for, and once", () => {
  const made: string[] = [];
  const operation = query({
    name: "test.lazy",
    summary: "Has schemas that take their time",
    input: () => {
      made.push("input");
      return z.strictObject({ count: z.number() });
    },
    output: () => {
      made.push("output");
      return z.object({ count: z.number() });
    },
    run: ({ count }) => ({ count }),
  });
  assert.deepEqual(made, []);
  assert.equal(operation.input.safeParse({ count: "one" }).success, false);
  assert.equal(operation.input, operation.input);
  assert.deepEqual(made, ["input"]);
  assert.equal(operation.output, operation.output);
  assert.deepEqual(made, ["input", "output"]);
});
