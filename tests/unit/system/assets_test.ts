import assert from "node:assert/strict";
import { ASSET_FILES, readAsset } from "../../../src/system/assets.ts";

Deno.test("readAsset() reads every file that ships with the daemon", async () => {
  for (const name of Object.keys(ASSET_FILES)) {
    assert.ok((await readAsset(name)).byteLength > 100, name);
  }
});

Deno.test("readAsset() reads no other file", async () => {
  for (
    const name of ["package.json", "../package.json", "/etc/passwd", "", "__proto__", "constructor"]
  ) {
    await assert.rejects(readAsset(name), { code: "not_found" }, name);
  }
});
