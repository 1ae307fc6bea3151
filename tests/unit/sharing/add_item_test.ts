/** Folders that become items: whole or not at all. */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { addItem } from "../../../src/sharing/add_item.ts";
import type { Files } from "../../../src/sharing/files.ts";
import { OperationGate } from "../../../src/sharing/operation_gate.ts";
import { FaultFiles } from "../../support/sharing/fault_files.ts";
import { readTree, writeTree } from "../../support/sharing/item_folder.ts";
import { QUICK_PARENT, tempFolder } from "../../support/temp_folder.ts";

const TREE = { "a.txt": "a", "deep/b.txt": "b", "version.ini": "version=3\n" };
const WHOLE = { ...TREE, "deep/": "" };

async function scene() {
  const folder = await tempFolder(QUICK_PARENT);
  const [library, source] = [join(folder.path, "library"), join(folder.path, "game")];
  await mkdir(library);
  await writeTree(source, TREE);
  const local = { rootOf: (id: string) => join(library, id) };
  const { signal } = new AbortController();
  const add = (files: Files, input = {}) =>
    addItem({ files, gate: new OperationGate(), local }, { folder: source, ...input }, signal);
  return { folder, library, source, add, [Symbol.asyncDispose]: folder[Symbol.asyncDispose] };
}

for (const isLasting of [false, true]) {
  const disk = isLasting ? "a disk that is gone from some step on" : "a disk that is full once";
  Deno.test(`addItem() on ${disk} leaves the whole item or none, and can be tried again`, async () => {
    let cases = 0;
    for (let step = 1;; step++) {
      await using here = await scene();
      const files = new FaultFiles(step, isLasting ? "EIO" : "ENOSPC", { isLasting });
      const failure = await here.add(files).then(() => undefined, (error: Error) => error);
      const when = `step ${step}: ${files.steps[step - 1]}`;
      if (files.steps.length < step) break;
      assert.equal(failure?.name, "DaemonError", when);
      cases++;
      const left = await readTree(here.library);
      const isThere = "game/" in left;
      if (!isThere && !isLasting) assert.deepEqual(left, {}, `${when}: its space is free again`);
      if (!isThere) await here.add(new FaultFiles());
      const { [".lanspread_owned"]: mark, ...whole } = await readTree(join(here.library, "game"));
      assert.deepEqual(whole, WHOLE, when);
      assert.equal(mark === undefined || isThere, true, "a mark that could not be taken off");
      const { ["deep/"]: _folder, ...source } = await readTree(here.source);
      assert.deepEqual(source, TREE, when);
    }
    assert.equal(cases > 10, true, `${cases} cases`);
  });
}

Deno.test("addItem() takes no folder that the library is in, and replaces nothing", async () => {
  await using here = await scene();
  const files = new FaultFiles();
  await assert.rejects(here.add(files, { folder: here.folder.path, id: "x" }), {
    code: "invalid_argument",
  });
  for (const name of [".game.adding", "game"]) {
    await writeTree(join(here.library, name), { "mine.txt": "the user's" });
    await assert.rejects(here.add(files), { code: "already_exists" });
    const left = await readTree(join(here.library, name));
    assert.deepEqual(left, { "mine.txt": "the user's" });
  }
});
