/** Programs that unpack and do not end as they should. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { systemFiles } from "../../../src/sharing/files.ts";
import { ArchiveUnpacker } from "../../../src/sharing/unpack/archives.ts";
import { readTree } from "../../support/sharing/item_folder.ts";
import { tempFolder } from "../../support/temp_folder.ts";
import { waitFor } from "../../support/wait.ts";

const ignore = process.platform === "win32"; // there is no sh

async function run(script: string, signal: AbortSignal) {
  const folder = await tempFolder();
  const target = join(folder.path, "target");
  await mkdir(target);
  await writeFile(join(folder.path, "x.rar"), "not read");
  const external = () => [{ extensions: [".rar"], command: ["sh", "-c", script] }];
  const unpacker = new ArchiveUnpacker({ files: systemFiles, external });
  const done = unpacker.unpack(folder.path, target, signal, () => undefined);
  done.catch(() => undefined);
  return { done, target, [Symbol.asyncDispose]: folder[Symbol.asyncDispose] };
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new RangeError(`not within ${ms} ms`)), ms);
  return await Promise.race([work, late.promise]).finally(() => clearTimeout(timer));
}

Deno.test({
  name: "A program that leaves something running in the background holds nobody up",
  ignore,
  fn: async () => {
    await using here = await run("echo x >out; sleep 5 & exit 0", new AbortController().signal);
    await within(3_000, here.done);
    assert.deepEqual(await readTree(here.target), { out: "x\n" });
  },
});

Deno.test({
  name: "A program that does not end when it is told to is ended",
  ignore,
  fn: async () => {
    const abort = new AbortController();
    await using here = await run(
      'trap "" TERM; echo x >ready; i=0; while [ $i -lt 60 ]; do sleep 0.1; i=$((i+1)); done',
      abort.signal,
    );
    await waitFor("its begin", async () => "ready" in await readTree(here.target));
    abort.abort(new RangeError("cancelled"));
    await assert.rejects(within(3_000, here.done), /cancelled/);
  },
});
