import assert from "node:assert/strict";
import { WarmUp } from "../../../src/core/mod.ts";
import { FakeClock } from "../../support/fake_clock.ts";

function warmUp() {
  const clock = new FakeClock();
  const loaded: string[] = [];
  const load = (name: string) => () => {
    loaded.push(name);
    return name === "broken" ? Promise.reject(new TypeError("cannot load")) : Promise.resolve();
  };
  const service = new WarmUp({ clock }, [load("broken"), load("sound")]);
  return { clock, loaded, service };
}

Deno.test("WarmUp loads one part after the other, one that fails too", async () => {
  const { clock, loaded, service } = warmUp();
  await service.start();
  assert.deepEqual(loaded, []);
  await clock.advance(200);
  assert.deepEqual(loaded, ["broken"]);
  await clock.advance(200);
  assert.deepEqual(loaded, ["broken", "sound"]);
});

Deno.test("WarmUp.stop() before its time loads nothing, and can be called twice", async () => {
  const { clock, loaded, service } = warmUp();
  await service.start();
  await service.stop();
  await service.stop();
  await clock.advance(1_000);
  assert.deepEqual({ loaded, pending: clock.pending }, { loaded: [], pending: 0 });
});
