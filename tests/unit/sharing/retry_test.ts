/** Downloads that wait for their next attempt, and what may come between. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DaemonError } from "../../../src/core/mod.ts";
import { ItemActivities } from "../../../src/sharing/item_activities.ts";
import { Resumption } from "../../../src/sharing/resumption.ts";
import { type Want, WantedFile } from "../../../src/sharing/wanted_file.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { tempFolder } from "../../support/temp_folder.ts";
import { waitFor } from "../../support/wait.ts";

const WANT: Want = {
  ...{ id: "game", version: "2", install: false, installs: 0, since: 0, size: 1, chunks: 1 },
};
const LATEST = {
  ...{ id: "game", name: "Game", version: "2", size: 1, downloaded: true, installed: false },
  peers: ["a"],
};
const signal = new AbortController().signal;

/** A download that is taken up at a start, and whose every attempt a test ends. */
async function scene(file?: Partial<WantedFile>) {
  const folder = await tempFolder();
  const wanted = await WantedFile.open(join(folder.path, "wanted.json"), "/library");
  await wanted.put(WANT);
  const tries: { signal: AbortSignal; end: PromiseWithResolvers<void> }[] = [];
  const activities = new ItemActivities();
  const resumption = new Resumption({
    clock: new FakeClock(),
    peers: { latest: () => LATEST, refresh: () => Promise.resolve() },
    activities,
    file: Object.assign(wanted, file),
    isHere: () => false,
    goOn: (_want, signal) => {
      const end = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => end.reject(signal.reason), { once: true });
      tries.push({ signal, end });
      return end.promise;
    },
  });
  resumption.start();
  resumption.peersChanged();
  assert.equal(tries.length, 1);
  return {
    resumption,
    activities,
    wanted,
    tries,
    folder,
    [Symbol.asyncDispose]: folder[Symbol.asyncDispose],
  };
}

Deno.test("A download that is cancelled while its next attempt begins does not go on", async () => {
  await using here = await scene();
  const { resumption, activities, tries } = here;
  assert.equal(resumption.isWaiting("game"), true, "it is listed while peers are asked");
  assert.equal(resumption.waiting().length, 1);
  assert.equal((await resumption.drop("game"))?.id, "game");
  assert.equal(tries[0]?.signal.aborted, true);
  await waitFor("its end", () => activities.get("game").status === "Failed");
  assert.equal(here.wanted.get("game"), undefined);
  assert.equal(resumption.isWaiting("game"), false);
});

Deno.test("A download that somebody begins while it is tried again is told of alone", async () => {
  await using here = await scene();
  const { resumption, activities, tries } = here;
  const own = Promise.withResolvers<void>();
  activities.began("game", "downloading");
  const kept = resumption.keep(WANT, signal, () => own.promise);
  const busy = new DaemonError("failed_precondition", 'Busy: "game" is downloading');
  tries[0]?.end.reject(busy);
  await tries[0]?.end.promise.catch(() => undefined);
  await Promise.resolve();
  assert.equal(activities.get("game").status, "Running");
  assert.equal(resumption.isWaiting("game"), false);
  own.resolve();
  await kept;
  assert.equal(activities.get("game").status, "Running", "its operation tells its end itself");
  assert.equal(here.wanted.get("game"), undefined);
});

Deno.test("A download whose attempt finds nothing to do is over", async () => {
  await using here = await scene();
  await here.resumption.drop("game"); // as who goes on does, when all of it is here
  here.tries[0]?.end.resolve();
  await waitFor("its end", () => here.activities.get("game").status !== "Waiting");
});

Deno.test("A full disk makes no failure of a download that came to its end", async () => {
  const full = Object.assign(new TypeError("ENOSPC: no space left"), { code: "ENOSPC" });
  await using here = await scene({ remove: () => Promise.reject(full) });
  await here.resumption.keep(WANT, signal, () => Promise.resolve());
  const failure = new DaemonError("unavailable", "no peers");
  const failed = here.resumption.keep(WANT, signal, () => Promise.reject(failure));
  await assert.rejects(failed, failure);
  assert.equal(await here.resumption.drop("game"), undefined);
});
