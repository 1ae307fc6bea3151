/** What `deno task compile` says when it cannot. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

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
