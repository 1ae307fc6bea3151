/** What `deno task compile` says when it cannot. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { compile } from "../../../installers/compile.ts";
import { tempFolder } from "../../support/temp_folder.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

const COMPILE = fileURLToPath(new URL("../../../installers/compile.ts", import.meta.url));

Deno.test("deno task compile for a target that is none says which there are, without a stack", () => {
  const { status, stderr } = spawnSync(Deno.execPath(), [
    ...["run", "-A", "--no-check", "--node-modules-dir=manual", COMPILE, "--target", "nowhere"],
  ]);
  assert.equal(status, 1);
  assert.match(`${stderr}`, /^compile: Cannot compile for "nowhere": known are /);
  assert.match(`${stderr}`, /x86_64-unknown-linux-gnu/);
  assert.doesNotMatch(`${stderr}`, /Stack backtrace|\n\s+at /);
});

// The bundler keeps a process of its own.
const keepsBundler = { sanitizeOps: false, sanitizeResources: false };

Deno.test(
  "compile() leaves the executable that is there when it cannot make another",
  keepsBundler,
  async () => {
    await using folder = await tempFolder();
    const output = join(folder.path, "kept_executable");
    await writeFile(output, "before");
    const { DENORT_BIN: before } = process.env;
    process.env["DENORT_BIN"] = join(folder.path, "none");
    try {
      await assert.rejects(compile({ output }), { code: "failed_precondition" });
    } finally {
      if (before === undefined) delete process.env["DENORT_BIN"];
      else process.env["DENORT_BIN"] = before;
      await rm(join(ROOT, "dist", "bundle-kept_executable"), { recursive: true, force: true });
    }
    assert.equal(await readFile(output, "utf8"), "before");
    assert.deepEqual(await readdir(folder.path), ["kept_executable"]);
  },
);
