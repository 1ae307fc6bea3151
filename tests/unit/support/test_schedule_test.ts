import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { besideEachOther, CAPACITY, inOrder, loadOf } from "../../support/test_schedule.ts";
import { waitFor } from "../../support/wait.ts";

/** Work that ends when told, and what goes on now. */
function pieces() {
  const going = new Map<string, () => void>();
  return {
    going: () => [...going.keys()],
    end: (name: string) => going.get(name)?.(),
    work: async (name: string) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      going.set(name, resolve);
      await promise;
      going.delete(name);
    },
  };
}

Deno.test("besideEachOther() begins what fits, in order, and what needs all alone", async () => {
  const half = CAPACITY / 2;
  const loads: Record<string, number> = {
    ...{ a: half, b: half, c: half / 2, d: half / 2, whole: CAPACITY, e: half },
  };
  const { going, end, work } = pieces();
  const done = besideEachOther(Object.keys(loads), (name) => loads[name] ?? 0, work);
  const goOn = async (names: string[]) => {
    await waitFor(names.join(), () => going().join() === names.join());
  };
  await goOn(["a", "b"]);
  end("a");
  await goOn(["b", "c", "d"]);
  end("b");
  await goOn(["c", "d", "e"]);
  for (const name of ["c", "d", "e"]) end(name);
  await goOn(["whole"]);
  end("whole");
  await done;
  assert.deepEqual(going(), []);
});

Deno.test("besideEachOther() does what asks for more than there is", async () => {
  const done: number[] = [];
  await besideEachOther([1, 2], () => CAPACITY + 1, (one) => Promise.resolve(void done.push(one)));
  assert.deepEqual(done, [1, 2]);
});

Deno.test("inOrder() loses no file, and has those that must be alone last", () => {
  const files = readdirSync(new URL("../../e2e/", import.meta.url));
  const ordered = inOrder(files);
  assert.deepEqual([...ordered].sort(), [...files].sort());
  const alone = ordered.map((file) => loadOf(file) === CAPACITY);
  assert.equal(alone.includes(true), true);
  assert.equal(alone.lastIndexOf(false) < alone.indexOf(true), true);
});
