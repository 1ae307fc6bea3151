import assert from "node:assert/strict";
import { productVersion } from "../../../installers/windows/product_version.ts";
import { DaemonError } from "../../../src/core/mod.ts";

/** As Windows Installer compares them. */
function compare(one: string, other: string): number {
  const [left, right] = [one, other].map((text) => text.split(".").map(Number));
  for (let at = 0; at < 3; at++) {
    const difference = (left?.[at] ?? 0) - (right?.[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

Deno.test("productVersion() keeps the order of versions", () => {
  const versions = [
    ...["2025.255.64", "2026.1.0", "2026.1.1-develop", "2026.1.1-develop.99", "2026.1.1-alpha"],
    ...["2026.1.1-alpha.199", "2026.1.1-beta.1", "2026.1.1-rc", "2026.1.1-rc.399", "2026.1.1"],
    ...["2026.1.2-develop", "2026.1.2", "2026.2.0", "2027.0.0", "2255.255.64"],
  ].map(productVersion);
  versions.slice(1).forEach((version, at) => {
    assert.ok(compare(versions[at] ?? "", version) < 0, `${versions[at]} before ${version}`);
  });
});

Deno.test("productVersion() stays within Windows Installer's limits", () => {
  assert.equal(productVersion("2255.255.64"), "255.255.64999");
  for (const version of ["2256.0.0", "1999.0.0", "2026.256.0", "2026.1.65"]) {
    assert.throws(() => productVersion(version), { code: "invalid_argument" });
  }
});

Deno.test("productVersion() refuses what it cannot order, and says what it knows", () => {
  assert.throws(() => productVersion("2026.1.1-nightly"), (error) => {
    assert.ok(error instanceof DaemonError);
    return /"nightly" is none of develop, alpha, beta, rc/.test(error.message);
  });
  for (const version of ["2026.1", "v2026.1.1", "2026.1.1-", "2026.1.1-rc.400", ""]) {
    assert.throws(() => productVersion(version), { code: "invalid_argument" });
  }
});

Deno.test("productVersion() leaves build information out", () => {
  assert.equal(productVersion("2026.1.1+abc"), productVersion("2026.1.1"));
});
