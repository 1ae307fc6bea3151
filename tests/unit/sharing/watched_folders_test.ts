/** What the library's watch does when the system cannot watch, or not all, or loses reports (L20). */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pause, systemClock } from "../../../src/core/mod.ts";
import type { TellOfFolder } from "../../../src/sharing/folder_watch.ts";
import { Monitor, type MonitorComponents } from "../../../src/sharing/monitor.ts";
import { WatchedFolders } from "../../../src/sharing/watched_folders.ts";
import { writeTree } from "../../support/sharing/item_folder.ts";
import { tempFolder } from "../../support/temp_folder.ts";
import { waitFor } from "../../support/wait.ts";

const SOON_MS = 10_000;

/** A monitor that only notes what it has looked at; `*` is everything. */
async function startMonitor(dir: string, watch?: MonitorComponents["watch"], maxWatched?: number) {
  const looked: string[] = [];
  const monitor = new Monitor({
    clock: systemClock,
    ...(watch ? { watch } : {}),
    scan: (id) => Promise.resolve(void looked.push(id)),
    scanAll: () => Promise.resolve(void looked.push("*")),
  }, { dir, ...(maxWatched === undefined ? {} : { maxWatched }) });
  await monitor.start();
  return {
    looked,
    seen: (id: string) => waitFor(`a look at ${id}`, () => looked.includes(id), SOON_MS),
    [Symbol.asyncDispose]: () => monitor.stop(),
  };
}

Deno.test("Changes are found where nothing can be watched", async () => {
  await using folder = await tempFolder();
  const root = join(folder.path, "game");
  await mkdir(root);
  let openings = 0;
  await using monitor = await startMonitor(folder.path, () => {
    openings++;
    throw new Error("OS file watch limit reached");
  });
  await monitor.seen("game"); // nothing was known of it
  await pause(1_200);
  monitor.looked.length = 0;
  await writeFile(join(root, "version.ini"), "1");
  await monitor.seen("game");
  await mkdir(join(folder.path, "other"));
  await monitor.seen("other");
  assert.equal(openings <= 9, true, `opened ${openings} times`);
});

Deno.test("A folder that cannot be watched is not the end of all others", async () => {
  await using folder = await tempFolder();
  for (const id of ["one", "two", "bad"]) await mkdir(join(folder.path, id));
  let tell: TellOfFolder = () => undefined;
  await using monitor = await startMonitor(folder.path, (paths, to) => {
    if (paths.length > 1) throw new Error("Permission denied"); // as the runtime does for one of many
    tell = to;
    return { close: () => undefined };
  });
  await pause(2_000);
  monitor.looked.length = 0;
  tell(join(folder.path, "new"));
  await monitor.seen("new");
  await writeFile(join(folder.path, "two", "version.ini"), "1");
  await monitor.seen("two");
});

Deno.test("After a flood of reports, of which some are lost, everything is looked at", async () => {
  await using folder = await tempFolder();
  await mkdir(join(folder.path, "busy"));
  let tell: TellOfFolder = () => undefined;
  await using monitor = await startMonitor(folder.path, (_paths, to) => {
    tell = to;
    return { close: () => undefined };
  });
  for (let n = 0; n < 15; n++) tell(join(folder.path, "busy", "data.bin"));
  await monitor.seen("busy");
  await pause(1_000);
  assert.equal(monitor.looked.includes("*"), false, "fewer reports than are kept cannot be lost");
  tell();
  await monitor.seen("*");
});

Deno.test("Folders beyond the bound are looked at in turn", async () => {
  await using folder = await tempFolder();
  for (let n = 0; n < 60; n++) await mkdir(join(folder.path, `item${n}`));
  const lists: number[] = [];
  const folders = new WatchedFolders({
    clock: systemClock,
    watch: (paths) => {
      lists.push(paths.length);
      return { close: () => undefined };
    },
    changed: (id) => void changed.push(id),
    reported: () => undefined,
    missed: () => undefined,
  }, { dir: folder.path, maxWatched: 10 });
  const changed: string[] = [];
  await folders.start();
  assert.deepEqual([folders.counts, lists], [{ speaking: 10, silent: 50 }, [11]]);
  await waitFor("a first look at each", () => new Set(changed).size === 50, SOON_MS);
  await pause(3_000);
  assert.deepEqual(lists, [11], "nothing came that would be worth another watch");
  changed.length = 0;
  const names = Array.from({ length: 60 }, (_, n) => `item${n}`);
  for (const id of names) await writeFile(join(folder.path, id, "version.ini"), "1");
  await waitFor("each silent one", () => new Set(changed).size === 50, SOON_MS);
  await folders.stop();
});

Deno.test("Many folders that change at once are looked at together", async () => {
  await using folder = await tempFolder();
  await using monitor = await startMonitor(folder.path);
  for (let n = 0; n < 300; n++) {
    await writeTree(join(folder.path, `item${n}`), { "version.ini": "1" });
  }
  await monitor.seen("*");
  assert.equal(new Set(monitor.looked).size < 150, true, `${new Set(monitor.looked).size} looks`);
});

Deno.test("Where one watch covers the tree, folders that come later need none of their own", async () => {
  await using folder = await tempFolder();
  await mkdir(join(folder.path, "old"));
  const lists: (readonly string[])[] = [];
  let tell: TellOfFolder = () => undefined;
  await using monitor = await startMonitor(folder.path, (paths, to) => {
    lists.push(paths);
    tell = to;
    return { coversAll: true, close: () => undefined };
  }, 1);
  await mkdir(join(folder.path, "new"));
  tell(join(folder.path, "new"));
  tell(folder.path);
  await monitor.seen("new");
  await pause(2_500);
  monitor.looked.length = 0;
  tell(join(folder.path, "new", "deep", "file"));
  tell(join(folder.path, "new", "version.ini"));
  await monitor.seen("new");
  assert.deepEqual([lists.length, monitor.looked], [1, ["new"]]);
});
