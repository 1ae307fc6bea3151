import assert from "node:assert/strict";
import { mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openShelf } from "../../support/shelf.ts";

Deno.test("Libraries.start() makes the default library, once", async () => {
  await using shelf = await openShelf();
  const [library, ...others] = shelf.libraries.list();
  assert.deepEqual([library?.id, library?.name, others], ["default", "default", []]);
  assert.ok((await stat(library!.dir)).isDirectory());
  await using again = await shelf.reopen();
  assert.deepEqual(again.libraries.list(), shelf.libraries.list());
  assert.deepEqual(again.events.filter(({ topic }) => topic.startsWith("library")), []);
});

Deno.test("Libraries.create() is on disk before anybody hears of it", async () => {
  await using shelf = await openShelf();
  const dir = join(shelf.files, "games");
  const library = await shelf.libraries.create("Games", dir);
  assert.deepEqual(shelf.events.at(-1)?.payload, { id: library.id, name: "Games" });
  const text = await readFile(join(shelf.base, "data", "libraries.json"), "utf8");
  assert.ok(text.includes(library.id));
  await using again = await shelf.reopen();
  assert.deepEqual(again.libraries.get(library.id), library);
});

Deno.test("Libraries.create() refuses names and folders that are taken or unusable", async () => {
  await using shelf = await openShelf();
  const dir = join(shelf.files, "games");
  await shelf.libraries.create("Games", dir);
  await writeFile(join(shelf.files, "file"), "");
  const table: [name: string, dir: string | undefined, code: string][] = [
    ["games", undefined, "already_exists"],
    ["ＧＡＭＥＳ", undefined, "already_exists"],
    ["", undefined, "invalid_argument"],
    [" a", undefined, "invalid_argument"],
    ["a\nb", undefined, "invalid_argument"],
    ["x".repeat(65), undefined, "invalid_argument"],
    ["a", dir, "already_exists"],
    ["a", join(dir, "inner"), "already_exists"],
    ["a", shelf.files, "already_exists"],
    ["a", "relative", "invalid_argument"],
    ["a", "/", "invalid_argument"],
    ["a", join(shelf.files, "file"), "already_exists"],
    ["a", join(shelf.base, "data", "x"), "permission_denied"],
    ["a", shelf.base, "permission_denied"],
  ];
  for (const [name, folder, code] of table) {
    await assert.rejects(shelf.libraries.create(name, folder), { code }, `${name} ${folder}`);
  }
  assert.equal(shelf.libraries.list().length, 2);
});

Deno.test("Libraries.close() ends the jobs of a library and takes no more; open() does again", async () => {
  await using shelf = await openShelf();
  const { jobId } = shelf.jobs.submit({
    kind: "test",
    libraryId: "default",
    message: "",
    run: ({ signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal))),
  });
  await shelf.libraries.close("default");
  assert.equal(shelf.jobs.get(jobId).status, "Cancelled");
  await writeFile(join(shelf.files, "a"), "");
  const wish = {
    sources: [join(shelf.files, "a")],
    destination: join(shelf.files, "b"),
    method: "Auto" as const,
    isMove: false,
    isReplacing: false,
  };
  const caller = { libraryId: "default" };
  await assert.rejects(shelf.fileCopy.begin(wish, caller), { code: "failed_precondition" });
  await shelf.libraries.open("default");
  const job = await shelf.fileCopy.begin(wish, caller);
  assert.equal((await shelf.ended(job.jobId)).status, "Completed");
});

Deno.test("Libraries.delete() forgets a library and removes no file", async () => {
  await using shelf = await openShelf();
  const dir = join(shelf.files, "games");
  const { id } = await shelf.libraries.create("Games", dir);
  await writeFile(join(dir, "file"), "x");
  await shelf.libraries.delete(id);
  assert.equal(await readFile(join(dir, "file"), "utf8"), "x");
  assert.throws(() => shelf.libraries.get(id), { code: "not_found" });
  await assert.rejects(shelf.libraries.delete("default"), { code: "failed_precondition" });
});

Deno.test("Libraries.addLocation() takes a real folder once, removeLocation() leaves its files", async () => {
  await using shelf = await openShelf();
  const folder = join(shelf.files, "photos");
  await mkdir(join(folder, "2026"), { recursive: true });
  const location = await shelf.libraries.addLocation("default", `${folder}/../photos/`);
  assert.equal(location.path, folder);
  assert.deepEqual(shelf.events.at(-1)?.payload, {
    id: location.id,
    library_id: "default",
    path: folder,
  });
  if (Deno.build.os !== "windows") {
    await symlink(folder, join(shelf.files, "link"));
    await assert.rejects(shelf.libraries.addLocation("default", join(shelf.files, "link")), {
      code: "already_exists",
    });
  }
  const table: [path: string, code: string][] = [
    [folder, "already_exists"],
    [join(folder, "2026"), "already_exists"],
    [shelf.files, "already_exists"],
    [join(shelf.files, "missing"), "not_found"],
    [join(shelf.base, "data"), "permission_denied"],
  ];
  for (const [path, code] of table) {
    await assert.rejects(shelf.libraries.addLocation("default", path), { code }, path);
  }
  await using again = await shelf.reopen();
  assert.deepEqual(again.libraries.locations(), [location]);
  await again.libraries.removeLocation(location.id);
  assert.deepEqual(again.libraries.locations("default"), []);
  assert.ok((await stat(folder)).isDirectory());
});

Deno.test("Libraries.start() refuses a damaged file, names it and leaves it", async () => {
  await using shelf = await openShelf();
  const path = join(shelf.base, "data", "libraries.json");
  const good = await readFile(path, "utf8");
  for (const bad of ["", "{", "[]", good.slice(0, -5), good.replace("is_open", "isOpen")]) {
    await writeFile(path, bad);
    await assert.rejects(shelf.reopen(), {
      code: "data_loss",
      message: /libraries\.json.*put back/,
    });
    assert.equal(await readFile(path, "utf8"), bad);
  }
});

Deno.test("Libraries make one change at a time", async () => {
  await using shelf = await openShelf();
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, () => shelf.libraries.create("Same")),
  );
  assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
  await Promise.all(Array.from({ length: 20 }, (_, n) => shelf.libraries.create(`L${n}`)));
  await using again = await shelf.reopen();
  assert.equal(again.libraries.list().length, 22);
});
