import assert from "node:assert/strict";
import { ItemActivities, type ItemState } from "../../../src/sharing/item_activities.ts";
import { OperationGate } from "../../../src/sharing/operation_gate.ts";

async function all(states: AsyncIterable<ItemState>): Promise<ItemState[]> {
  return await Array.fromAsync(states);
}

Deno.test("ItemActivities.watch() tells of an item nobody works at, and ends", async () => {
  const { signal } = new AbortController();
  assert.deepEqual(await all(new ItemActivities().watch("a", signal)), [
    { id: "a", status: "Idle" },
  ]);
});

Deno.test("ItemActivities.watch() follows an operation through its activities to its end", async () => {
  const gate = new OperationGate();
  const { signal } = new AbortController();
  const seen: string[] = [];
  let goOn = Promise.withResolvers<void>();
  const done = gate.run("a", "downloading", async (_signal, next) => {
    await goOn.promise;
    gate.activities.progress("a", { doneBytes: 1, totalBytes: 2 });
    goOn = Promise.withResolvers<void>();
    await goOn.promise;
    next("installing");
    goOn = Promise.withResolvers<void>();
    await goOn.promise;
  });
  for await (const { status, activity, doneBytes } of gate.activities.watch("a", signal)) {
    seen.push(`${status} ${activity} ${doneBytes}`);
    goOn.resolve();
  }
  await done;
  assert.deepEqual(seen, [
    "Running downloading undefined",
    "Running downloading 1",
    "Running installing undefined",
    "Completed installing undefined",
  ]);
});

Deno.test("ItemActivities remembers why an operation failed, until the next one", async () => {
  const gate = new OperationGate();
  await assert.rejects(gate.run("a", "verifying", () => Promise.reject(new Error("no disk"))));
  const failed = { id: "a", status: "Failed", activity: "verifying", reason: "no disk" };
  assert.deepEqual(gate.activities.get("a"), failed);
  await gate.run("a", "installing", () => Promise.resolve());
  assert.equal(gate.activities.get("a").status, "Completed");
});

Deno.test("ItemActivities.watch() ends when its reader leaves", async () => {
  const activities = new ItemActivities();
  activities.began("a", "downloading");
  const abort = new AbortController();
  const states = all(activities.watch("a", abort.signal));
  abort.abort();
  assert.equal((await states).length, 1);
});

Deno.test("ItemActivities forgets old ends, never what runs", () => {
  const activities = new ItemActivities();
  activities.began("first", "downloading");
  for (let n = 0; n < 300; n++) {
    activities.began(`a${n}`, "adding");
    activities.ended(`a${n}`);
  }
  assert.equal(activities.get("first").status, "Running");
  assert.equal(activities.get("a0").status, "Idle");
  assert.equal(activities.get("a299").status, "Completed");
});
