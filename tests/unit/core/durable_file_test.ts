import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { writeDurably } from "../../../src/core/mod.ts";
import { linuxRoot, testNeeding } from "../../support/needs.ts";
import { tempFolder } from "../../support/temp_folder.ts";

Deno.test("writeDurably() makes a file of mode 0600 and leaves nothing beside it", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "key");
  await writeDurably(path, new Uint8Array([1, 2, 3]));
  assert.deepEqual([...await readFile(path)], [1, 2, 3]);
  assert.deepEqual(await readdir(folder.path), ["key"]);
  if (process.platform !== "win32") assert.equal((await stat(path)).mode & 0o777, 0o600);
});

Deno.test("writeDurably() replaces a file as a whole, with the rights asked for", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "state.json");
  await writeFile(path, "a much longer old content");
  await writeDurably(path, "new", { mode: 0o640 });
  assert.equal(await readFile(path, "utf8"), "new");
  if (process.platform !== "win32") assert.equal((await stat(path)).mode & 0o777, 0o640);
});

Deno.test("writeDurably() writes megabytes, and nothing at all", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "blob");
  const bytes = crypto.getRandomValues(new Uint8Array(65_536));
  const big = new Uint8Array(3 * 65_536 + 7).map((_, index) => bytes[index % 65_536]!);
  await writeDurably(path, big);
  assert.deepEqual(new Uint8Array(await readFile(path)), big);
  await writeDurably(path, "");
  assert.equal((await stat(path)).size, 0);
});

Deno.test("writeDurably() keeps the old file and no temporary one when it fails", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "folder");
  await mkdir(join(path, "inside"), { recursive: true }); // a file cannot replace it
  await assert.rejects(writeDurably(path, "x"));
  assert.deepEqual(await readdir(folder.path), ["folder"]);
  assert.deepEqual(await readdir(path), ["inside"]);
});

Deno.test("writeDurably() tells the system's error for a folder that is not there", async () => {
  await using folder = await tempFolder();
  await assert.rejects(writeDurably(join(folder.path, "no", "file"), "x"), { code: "ENOENT" });
});

Deno.test("writeDurably() lets concurrent writers win one after the other, never mixed", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "state");
  const texts = Array.from({ length: 20 }, (_, n) => String(n % 10).repeat(10_000 + n));
  await Promise.all(texts.map((text) => writeDurably(path, text)));
  assert.ok(texts.includes(await readFile(path, "utf8")));
  assert.deepEqual(await readdir(folder.path), ["state"]);
});

testNeeding(
  [linuxRoot()],
  "writeDurably() leaves the old file alone on a full disk and works again with room",
  async () => {
    await using folder = await tempFolder();
    const mount = new Deno.Command("mount", {
      args: ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder.path],
    });
    assert.equal((await mount.output()).code, 0);
    try {
      const path = join(folder.path, "state");
      await writeDurably(path, "old");
      await assert.rejects(writeDurably(path, new Uint8Array(200_000)), { code: "ENOSPC" });
      assert.equal(await readFile(path, "utf8"), "old");
      assert.deepEqual(await readdir(folder.path), ["state"]);
      await writeDurably(path, "new");
      assert.equal(await readFile(path, "utf8"), "new");
    } finally {
      await new Deno.Command("umount", { args: [folder.path] }).output();
      await chmod(folder.path, 0o700);
    }
  },
);
