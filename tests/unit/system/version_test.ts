import assert from "node:assert/strict";
import { runtimeWarning, VERSION, versionInfo } from "../../../src/system/version.ts";

Deno.test("versionInfo() from source has a version and the runtime's, no commit", () => {
  assert.deepEqual(versionInfo(), {
    version: VERSION,
    commit: "",
    buildTime: "",
    runtime: Deno.version.deno,
  });
});

Deno.test("runtimeWarning() warns of the versions that crash, and of no other", () => {
  for (const version of ["2.9.4", "2.9.5", "2.9.6"]) {
    assert.match(runtimeWarning(version)!, /2\.9\.3/);
  }
  for (const version of ["2.9.3", "2.7.14", "2.8.3", "2.9.7", "12.9.4", "2.9.40", ""]) {
    assert.equal(runtimeWarning(version), undefined, version);
  }
});
