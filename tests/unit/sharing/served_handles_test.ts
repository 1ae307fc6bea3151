import assert from "node:assert/strict";
import { rename, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type FileFacts, type Files, systemFiles } from "../../../src/sharing/files.ts";
import { ServedHandles } from "../../../src/sharing/served_handles.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { tempFolder } from "../../support/temp_folder.ts";
import { waitFor } from "../../support/wait.ts";

/** Handles of a folder whose files are counted while they are open. */
async function scene() {
  const folder = await tempFolder();
  const clock = new FakeClock();
  const counts = { opened: 0, open: 0 };
  const open: Files["open"] = async (path, mode) => {
    const file = await systemFiles.open(path, mode);
    counts.opened++;
    counts.open++;
    return {
      ...file,
      close: async () => {
        counts.open--;
        await file.close();
      },
    };
  };
  const handles = new ServedHandles({ files: { open }, clock });
  handles.start();
  const path = join(folder.path, "file");
  await writeFile(path, "one");
  return {
    ...{ clock, counts, handles, path, folder: folder.path },
    async text(at = path, isRight: (facts: FileFacts) => boolean = () => true) {
      const file = await handles.take(at, isRight);
      if (!file) return undefined;
      const bytes = new Uint8Array(3);
      await file.read(bytes, 0);
      await handles.give(at, file);
      return new TextDecoder().decode(bytes);
    },
    async [Symbol.asyncDispose]() {
      await handles.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

Deno.test("A file that is asked for again and again is opened once, and closed after a second", async () => {
  await using given = await scene();
  for (let index = 0; index < 10; index++) assert.equal(await given.text(), "one");
  assert.deepEqual(given.counts, { opened: 1, open: 1 });
  given.clock.advance(999);
  assert.equal(given.counts.open, 1);
  given.clock.advance(1);
  await waitFor("the file to be closed", () => given.counts.open === 0);
});

Deno.test("A file is closed a second after its last reader, whatever else is asked for", async () => {
  await using given = await scene();
  const other = join(given.folder, "other");
  await writeFile(other, "two");
  assert.equal(await given.text(), "one");
  for (let ms = 0; ms < 1_000; ms += 250) {
    assert.equal(await given.text(other), "two");
    given.clock.advance(250);
  }
  await waitFor("the file to be closed", () => given.counts.open === 1);
});

Deno.test("Two who read a file at a time do not share it", async () => {
  await using given = await scene();
  const [one, two] = await Promise.all([
    given.handles.take(given.path, () => true),
    given.handles.take(given.path, () => true),
  ]);
  assert.equal(one === two, false);
  for (const file of [one, two]) if (file) await given.handles.give(given.path, file);
  assert.deepEqual(given.counts, { opened: 2, open: 2 });
});

Deno.test("What took a file's place is read, not what was there", async () => {
  await using given = await scene();
  await utimes(given.path, 1, 1);
  assert.equal(await given.text(given.path, ({ mtimeMs }) => mtimeMs === 1_000), "one");
  await writeFile(`${given.path}.new`, "two");
  await utimes(`${given.path}.new`, 2, 2);
  await rename(`${given.path}.new`, given.path);
  assert.equal(await given.text(given.path, ({ mtimeMs }) => mtimeMs === 2_000), "two");
  assert.equal(given.counts.open, 1);
});

Deno.test("A file that is not as it should be is not read, and does not stay open", async () => {
  await using given = await scene();
  assert.equal(await given.text(given.path, () => false), undefined);
  await assert.rejects(given.text(join(given.folder, "missing")), { code: "ENOENT" });
  assert.equal(given.counts.open, 0);
});

Deno.test("Sixteen files stay open, and none after the end", async () => {
  await using given = await scene();
  for (let index = 0; index < 20; index++) {
    const path = join(given.folder, `file ${index}`);
    await writeFile(path, "one");
    assert.equal(await given.text(path), "one");
  }
  assert.deepEqual(given.counts, { opened: 20, open: 16 });
  const late = await given.handles.take(given.path, () => true);
  await given.handles.stop();
  assert.equal(given.counts.open, 1);
  if (late) await given.handles.give(given.path, late);
  assert.equal(given.counts.open, 0);
});
