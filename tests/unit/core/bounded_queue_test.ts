import assert from "node:assert/strict";
import { BoundedQueue } from "../../../src/core/mod.ts";

Deno.test("BoundedQueue loses what is too heavy together, but never the only item", async () => {
  const queue = new BoundedQueue<string>(3, undefined, { limit: 4, of: (text) => text.length });
  for (const text of ["much too long", "a", "bb"]) queue.push(text);
  assert.equal(queue.dropped, 2);
  const items = queue[Symbol.asyncIterator]();
  assert.equal((await items.next()).value, "much too long");
  for (const text of ["a", "bb", "cc", "d", "e"]) queue.push(text);
  assert.equal(queue.dropped, 4);
  assert.deepEqual(queue.drain(), ["a", "bb", "d"]);
  queue.push("cccc");
  assert.equal((await items.next()).value, "cccc");
  queue.cancel();
  assert.equal((await items.next()).done, true);
});
