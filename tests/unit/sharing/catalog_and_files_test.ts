/** A catalog that its owner edits by hand, and a pipe in the place of a file. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { Catalog } from "../../../src/sharing/catalog.ts";
import { systemFiles } from "../../../src/sharing/files.ts";
import { tempFolder } from "../../support/temp_folder.ts";

Deno.test("Catalog.add() keeps what was written into the file since it was read", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "catalog.json");
  await writeFile(path, '{"items":[{"id":"a","name":"A"}]}');
  const catalog = new Catalog(folder.path);
  assert.equal(await catalog.has("a"), true);
  await writeFile(path, '{"items":[{"id":"a","name":"A"},{"id":"mine","name":"Mine"}]}');
  await catalog.add("b");
  const ids = JSON.parse(await readFile(path, "utf8")).items.map(({ id }: { id: string }) => id);
  assert.deepEqual(ids, ["a", "mine", "b"]);
});

Deno.test({
  name: "Files.open() to read waits for no writer of a pipe",
  ignore: process.platform === "win32",
  fn: async () => {
    await using folder = await tempFolder();
    const path = join(folder.path, "pipe");
    await new Deno.Command("mkfifo", { args: [path] }).output();
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new RangeError("it waits")), 2_000);
    try {
      const file = await Promise.race([systemFiles.open(path, "read"), late.promise]);
      assert.equal((await file.facts()).kind, "other");
      await file.close();
    } finally {
      clearTimeout(timer);
    }
  },
});
