/** The index of the library: a cache that is not thrown away for nothing. */
import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { IndexStore } from "../../../src/sharing/store.ts";
import { tempFolder } from "../../support/temp_folder.ts";

const ITEM = {
  ...{ id: "game", version: "1", sentinelMtimeMs: 5, size: 1, files: 1 },
  ...{ installed: false, isFetched: true, isHashed: true },
};

Deno.test("IndexStore.open() puts a damaged file aside, and only a damaged one", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "index.db");
  const first = IndexStore.open(path, "/library");
  first.putItem(ITEM);
  first.close();
  const other = new DatabaseSync(path); // as a program to look at it may hold it
  other.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  assert.throws(() => IndexStore.open(path, "/library"), {
    code: "unavailable",
    message: /locked/,
  });
  other.exec("COMMIT");
  other.close();
  assert.equal((await readdir(folder.path)).some((name) => name.includes("damaged")), false);
  const again = IndexStore.open(path, "/library");
  assert.deepEqual(again.items(), [ITEM]);
  again.close();
  for (const suffix of ["-wal", "-shm"]) {
    await Deno.remove(`${path}${suffix}`).catch(() => undefined);
  }
  await writeFile(path, "no database at all, but long enough to be looked at ".repeat(100));
  const anew = IndexStore.open(path, "/library");
  assert.deepEqual(anew.items(), []);
  anew.close();
  assert.equal((await readdir(folder.path)).includes("index.db.damaged"), true);
});

Deno.test("IndexStore.together() tells what failed, and forgets what was not written", async () => {
  await using folder = await tempFolder();
  const store = IndexStore.open(join(folder.path, "index.db"), "/library");
  store.items(); // kept in memory from here on
  const { exec } = DatabaseSync.prototype;
  // A full disk ends the transaction by itself: there is nothing to roll back then.
  DatabaseSync.prototype.exec = function (sql) {
    if (sql !== "COMMIT") return exec.call(this, sql);
    exec.call(this, "ROLLBACK");
    throw new Error("database or disk is full");
  };
  try {
    assert.throws(() => store.together(() => store.putItem(ITEM)), /disk is full/);
  } finally {
    DatabaseSync.prototype.exec = exec;
  }
  assert.deepEqual(store.items(), []);
  store.close();
});
