import assert from "node:assert/strict";
import { GIVE_BACK_AFTER_MS, StartMemory } from "../../../src/system/start_memory.ts";
import { FakeClock } from "../../support/fake_clock.ts";

function memory(collect: (() => void) | undefined) {
  const clock = new FakeClock();
  return { clock, service: new StartMemory({ clock, collect }) };
}

Deno.test("StartMemory collects once, some time after start", async () => {
  let count = 0;
  const { clock, service } = memory(() => count++);
  await service.start();
  await clock.advance(GIVE_BACK_AFTER_MS - 1);
  assert.equal(count, 0);
  await clock.advance(1);
  await clock.advance(10 * GIVE_BACK_AFTER_MS);
  assert.equal(count, 1);
  await service.stop();
});

Deno.test("StartMemory.stop() before its time leaves nothing behind", async () => {
  let count = 0;
  const { clock, service } = memory(() => count++);
  await service.start();
  await service.stop();
  await service.stop();
  await clock.advance(GIVE_BACK_AFTER_MS);
  assert.deepEqual({ count, pending: clock.pending }, { count: 0, pending: 0 });
});

Deno.test("StartMemory does nothing where the runtime offers no collector", async () => {
  const { clock, service } = memory(undefined);
  await service.start();
  assert.equal(clock.pending, 0);
  await service.stop();
});

Deno.test("StartMemory survives a collector that fails", async () => {
  const { clock, service } = memory(() => {
    throw new TypeError("no such flavour");
  });
  await service.start();
  await clock.advance(GIVE_BACK_AFTER_MS);
  await service.stop();
});
